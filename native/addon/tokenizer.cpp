// A tokenizer as JavaScript holds it. See tokenizer.h.
#include "tokenizer.h"

#include <cstring>

#include "../text/tokenizer.h"
#include "convert.h"
#include "device.h"

namespace inbatch {
namespace {

using text::BlockForms;
using text::kBlock;
using text::Text;

// An exception of JavaScript is on its way; native code only makes room for it.
struct Thrown : std::exception {
  const char* what() const noexcept override { return "an exception of JavaScript"; }
};

std::u16string utf16_of(const char* where, Napi::Value value) {
  if (!value.IsString()) refuse(where, "expected a string");
  return value.As<Napi::String>().Utf16Value();
}

template <class T>
std::vector<T> list_of(const char* where, Napi::Value value) {
  if (!value.IsTypedArray()) refuse(where, "expected a typed array");
  const auto array = value.As<Napi::TypedArray>();
  const Bytes bytes = bytes_of(where, value, int64_t(array.ElementLength() * sizeof(T)));
  std::vector<T> out(bytes.size / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), bytes.data, bytes.size);
  return out;
}

// What JavaScript knows of Unicode, as an object of functions.
class ScriptHost : public text::Host {
 public:
  explicit ScriptHost(Napi::Object functions) : functions_(Napi::Persistent(functions)) {}

  std::array<uint16_t, kBlock> classes(uint32_t block) override {
    const auto list = list_of<uint16_t>("classes", call("classes", {number(block)}));
    std::array<uint16_t, kBlock> out{};
    expect(list.size() == out.size(), "classes", "expected those of a block");
    std::copy(list.begin(), list.end(), out.begin());
    return out;
  }

  BlockForms forms(int step, uint32_t block) override {
    const Napi::Value value = call("forms", {number(step), number(block)});
    if (!value.IsObject()) refuse("forms", "expected an object");
    const auto object = value.As<Napi::Object>();
    const auto kinds = list_of<uint8_t>("forms", object.Get("kinds"));
    const auto ends = list_of<uint32_t>("forms", object.Get("ends"));
    BlockForms out{{}, {}, utf16_of("forms", object.Get("text"))};
    bool is_whole = kinds.size() == kBlock && ends.size() == kBlock;
    for (size_t n = 0; is_whole && n < kBlock; ++n) {
      is_whole =
          kinds[n] <= BlockForms::Joins && ends[n] >= out.begins[n] && ends[n] <= out.text.size();
      out.kinds[n] = BlockForms::Kind(kinds[n]);
      out.begins[n + 1] = ends[n];
    }
    expect(is_whole, "forms", "expected those of a block");
    return out;
  }

  std::u16string normalize(int step, Text text) override {
    const Napi::Env env = functions_.Env();
    const auto string = Napi::String::New(env, text.data(), text.size());
    return utf16_of("normalize", call("normalize", {number(step), string}));
  }

 private:
  Napi::Value number(double value) const { return Napi::Number::New(functions_.Env(), value); }

  Napi::Value call(const char* name, std::initializer_list<napi_value> arguments) {
    const Napi::Object functions = functions_.Value();
    const Napi::Value function = functions.Get(name);
    if (!function.IsFunction()) refuse(name, "expected a function");
    const Napi::Value result = function.As<Napi::Function>().Call(functions, arguments);
    if (functions.Env().IsExceptionPending()) throw Thrown();
    return result;
  }

  Napi::ObjectReference functions_;
};

text::Vocabulary vocabulary_of(Napi::Value value) {
  if (!value.IsObject()) refuse("vocabulary", "expected an object");
  const auto object = value.As<Napi::Object>();
  text::Vocabulary out;
  out.text = utf16_of("vocabulary.text", object.Get("text"));
  out.ends = list_of<int32_t>("vocabulary.ends", object.Get("ends"));
  out.ids = list_of<int32_t>("vocabulary.ids", object.Get("ids"));
  out.scores = list_of<double>("vocabulary.scores", object.Get("scores"));
  out.merges = list_of<int32_t>("vocabulary.merges", object.Get("merges"));
  return out;
}

// A text whose memory is kept for the next one.
class Reader {
 public:
  Text read(Napi::Env env, napi_value value) {
    size_t units = 0;
    if (buffer_.empty()) buffer_.resize(1 << 12);
    if (copy(env, value, units) && units + 1 < buffer_.size()) return {buffer_.data(), units};
    if (napi_get_value_string_utf16(env, value, nullptr, 0, &units) != napi_ok) {
      refuse("texts", "expected strings");
    }
    buffer_.resize(units + 2);
    copy(env, value, units);
    return {buffer_.data(), units};
  }

  size_t units() const { return buffer_.size(); }

 private:
  bool copy(Napi::Env env, napi_value value, size_t& units) {
    return napi_get_value_string_utf16(env, value, buffer_.data(), buffer_.size(), &units) ==
           napi_ok;
  }
  std::vector<char16_t> buffer_;
};

class TokenizerHandle : public Napi::ObjectWrap<TokenizerHandle> {
 public:
  // new Tokenizer(definition, vocabulary, host)
  explicit TokenizerHandle(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<TokenizerHandle>(info) {
    perform(info.Env(), [&] {
      if (!info[2].IsObject()) refuse("tokenizer", "expected a host");
      host_ = std::make_unique<ScriptHost>(info[2].As<Napi::Object>());
      auto definition = argument<text::Definition>("tokenizer", info[0]);
      text::Vocabulary vocabulary = vocabulary_of(info[1]);
      text::check(definition, vocabulary);
      tokenizer_ =
          std::make_unique<text::Tokenizer>(std::move(definition), std::move(vocabulary), *host_);
      Napi::MemoryManagement::AdjustExternalMemory(info.Env(), kHeld);
      return info.Env().Undefined();
    });
  }

  // The collector is told of what it frees; as much as it was told of before, or Node ends itself.
  void Finalize(Napi::Env env) override {
    if (tokenizer_) Napi::MemoryManagement::AdjustExternalMemory(env, -kHeld);
  }

  // encode(texts, settings): {ids, offsets, truncated}
  Napi::Value encode(const Napi::CallbackInfo& info) {
    return perform(info.Env(), [&]() -> Napi::Value {
      if (!info[0].IsArray()) refuse("encode", "expected texts");
      const auto settings = argument<text::Settings>("encode", info[1]);
      return encode_texts(info.Env(), info[0].As<Napi::Array>(), settings);
    });
  }

 private:
  template <class F>
  static Napi::Value perform(Napi::Env env, F body) {
    return guarded(env, [&]() -> Napi::Value {
      try {
        return body();
      } catch (const Thrown&) {
        return env.Undefined();
      }
    });
  }

  Napi::Value encode_texts(Napi::Env env, Napi::Array texts, const text::Settings& settings) {
    const uint32_t count = texts.Length();
    auto offsets = Napi::Int32Array::New(env, count + 1);
    auto truncated = Napi::Uint8Array::New(env, count);
    if (offsets.IsEmpty() || truncated.IsEmpty())
      throw Thrown();  // on a thread that is being ended
    ids_.clear();
    for (uint32_t n = 0; n < count; ++n) {
      const Napi::HandleScope scope(env);
      const Text text = reader_.read(env, texts.Get(n));
      truncated[n] = tokenizer_->encode(text, settings, ids_) ? 1 : 0;
      offsets[n + 1] = int32_t(ids_.size());
    }
    auto ids = Napi::Int32Array::New(env, ids_.size());
    if (ids.IsEmpty()) throw Thrown();
    if (!ids_.empty()) std::memcpy(ids.Data(), ids_.data(), ids_.size() * sizeof(int32_t));
    // One enormous text must not hold its memory for ever.
    if (reader_.units() > kMostKept || ids_.capacity() > kMostKept) {
      tokenizer_->forget();
      reader_ = {};
      text::release(ids_);
    }
    auto result = Napi::Object::New(env);
    result.Set("ids", ids);
    result.Set("offsets", offsets);
    result.Set("truncated", truncated);
    return result;
  }

  static constexpr size_t kMostKept = 1 << 20;
  static constexpr int64_t kHeld = 8 << 20;  // of a tokenizer of 30000 pieces
  std::unique_ptr<ScriptHost> host_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  text::Ids ids_;
  Reader reader_;
};

}  // namespace

void define_tokenizer(Napi::Env env, Napi::Object exports) {
  const auto type = TokenizerHandle::DefineClass(
      env, "Tokenizer", {TokenizerHandle::InstanceMethod<&TokenizerHandle::encode>("encode")});
  exports.Set("Tokenizer", type);
}

}  // namespace inbatch
