// Values between JavaScript and C++, driven by the fields() of a struct.
//
// Both ops and specs list their fields once; reading an object of JavaScript into one needs no code
// of its own. A field that is absent keeps its default; one of the wrong kind is named.
#pragma once

#include <napi.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "../ops/op.h"
#include "memory.h"
#include "tensor.h"

namespace inbatch {

// Where a value was found, for messages, and the blocks that the tensors met on the way live in.
struct Reading {
  std::string where;
  std::vector<std::shared_ptr<Memory::Block>>* blocks = nullptr;

  [[noreturn]] void refuse(const char* expected) const {
    throw Error("OP_INVALID", where + ": expected " + expected);
  }
  Reading at(const std::string& field) const { return {where + "." + field, blocks}; }
};

inline void read(const Reading& reading, Napi::Value value, double& out) {
  if (!value.IsNumber()) reading.refuse("a number");
  out = value.As<Napi::Number>().DoubleValue();
}

inline void read(const Reading& reading, Napi::Value value, float& out) {
  double number = 0;
  read(reading, value, number);
  out = float(number);
}

inline void read(const Reading& reading, Napi::Value value, int64_t& out) {
  double number = 0;
  read(reading, value, number);
  if (number != double(int64_t(number))) reading.refuse("a whole number");
  out = int64_t(number);
}

inline void read(const Reading& reading, Napi::Value value, int32_t& out) {
  int64_t number = 0;
  read(reading, value, number);
  out = int32_t(uint32_t(uint64_t(number)));
}

inline void read(const Reading& reading, Napi::Value value, bool& out) {
  if (!value.IsBoolean()) reading.refuse("true or false");
  out = value.As<Napi::Boolean>().Value();
}

inline void read(const Reading& reading, Napi::Value value, std::string& out) {
  if (!value.IsString()) reading.refuse("a string");
  out = value.As<Napi::String>().Utf8Value();
}

inline void read(const Reading& reading, Napi::Value value, std::u16string& out) {
  if (!value.IsString()) reading.refuse("a string");
  out = value.As<Napi::String>().Utf16Value();
}

inline void read(const Reading& reading, Napi::Value value, Tensor& out) {
  const Held* held = held_of(value);
  if (!held) reading.refuse("a tensor");
  out = held->tensor;
  if (reading.blocks) reading.blocks->push_back(held->block);
}

template <class E>
  requires std::is_enum_v<E>
void read(const Reading& reading, Napi::Value value, E& out) {
  std::string word, list;
  read(reading, value, word);
  int index = 0;
  for (const char* known : Words<E>::list) {
    if (word == known) {
      out = E(index);
      return;
    }
    list += (index++ ? ", " : "") + std::string(known);
  }
  throw Error("OP_INVALID", reading.where + ": expected one of " + list + ", got " + word);
}

template <class S>
  requires requires { S::fields(); }
void read(const Reading& reading, Napi::Value value, S& out);

template <class T>
void read(const Reading& reading, Napi::Value value, std::optional<T>& out) {
  out.emplace();
  read(reading, value, *out);
}

template <class T>
void read(const Reading& reading, Napi::Value value, std::vector<T>& out) {
  if (!value.IsArray()) reading.refuse("an array");
  const auto array = value.As<Napi::Array>();
  out.resize(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    read(reading.at(std::to_string(i)), array.Get(i), out[i]);
  }
}

template <class S>
  requires requires { S::fields(); }
void read(const Reading& reading, Napi::Value value, S& out) {
  if (!value.IsObject()) reading.refuse("an object");
  const auto object = value.As<Napi::Object>();
  std::apply(
      [&](auto... field) {
        (
            [&] {
              const Napi::Value member = object.Get(field.name);
              if (member.IsUndefined() || member.IsNull()) return;
              read(reading.at(field.name), member, out.*(field.member));
            }(),
            ...);
      },
      S::fields());
}

inline Napi::Value numbers_of(Napi::Env env, const std::vector<double>& values) {
  auto list = Napi::Float64Array::New(env, values.size());
  if (!list.IsEmpty()) std::copy(values.begin(), values.end(), list.Data());
  return list;
}

// An argument of the method `where`.
template <class T>
T argument(const char* where, Napi::Value value) {
  T out{};
  read(Reading{where, nullptr}, value, out);
  return out;
}

}  // namespace inbatch
