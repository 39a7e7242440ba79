// The constructors of this environment, by class; kept beside its jobs.
#pragma once

#include <napi.h>

#include "queue.h"

namespace inbatch {

// What a class of the add-on looks like to napi: kept per environment, never static.
struct Classes {
  Napi::FunctionReference tensor;
};

// The instance data of an environment: its jobs and its classes.
struct AddonData : Environment {
  using Environment::Environment;
  Classes classes;
  static AddonData& of(Napi::Env env) { return static_cast<AddonData&>(Environment::of(env)); }
};

}  // namespace inbatch
