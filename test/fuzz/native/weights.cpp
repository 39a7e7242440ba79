// The values of a weight file as f32, whatever part of it is asked for: as many as were asked for
// or an Error, and a value that is not finite is found. Built by test/fuzz/native.mjs with
// libFuzzer.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../../../native/addon/file.h"
#include "../../../native/base/error.h"

namespace {

using namespace inbatch;

// What an input begins with; the rest is the file. The upper bit of the type asks for a file that
// goes on with zeros, so long that it is read in several pieces.
struct Request {
  uint64_t offset;
  uint32_t count;
  uint8_t type;
};

void hold(bool holds, const char* statement) {
  if (holds) return;
  std::fprintf(stderr, "it does not hold that %s\n", statement);
  std::abort();
}

// A file in memory under a path, made anew for each input.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size, size_t whole)
      : descriptor_(memfd_create("weights", 0)) {
    hold(write(descriptor_, data, size) == ssize_t(size), "the file was written");
    hold(ftruncate(descriptor_, off_t(whole)) == 0, "the file is as long as it should be");
  }
  ~MemoryFile() { close(descriptor_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kRequest = 13;
  constexpr Type kTypes[] = {Type::F32, Type::F16, Type::BF16, Type::F64};
  if (size < kRequest) return 0;
  Request request;
  std::memcpy(&request.offset, data, 8);
  std::memcpy(&request.count, data + 8, 4);
  request.type = data[12];
  const bool is_long = request.type & 0x80;
  const size_t whole = size - kRequest + (is_long ? size_t(3) << 20 : 0);
  const MemoryFile memory(data + kRequest, size - kRequest, whole);
  const Type type = kTypes[request.type % 4];
  const int64_t count = request.count % (1 << 12) + (is_long ? 1 << 18 : 0);
  std::vector<float> values(static_cast<size_t>(count), 1.0f);
  const bool is_inside =
      request.offset <= whole && whole - request.offset >= uint64_t(count * width_of(type));
  try {
    const WeightFile file(memory.path());
    file.read(request.offset, type, values.data(), count);
    hold(is_inside || count == 0, "only values inside the file are read");
    const int64_t at = first_not_finite(values.data(), count);
    bool is_finite = true;
    for (int64_t i = 0; i < (at < 0 ? count : at); ++i)
      is_finite &= std::isfinite(values[size_t(i)]);
    hold(is_finite, "the first that is not finite is found");
    if (at >= 0) hold(!std::isfinite(values[size_t(at)]), "what is found is not finite");
    hex_of(hash_of(values.data(), count));
    file.expect_finite("tensor", values.data(), count);
  } catch (const Error& error) {
    const bool is_known =
        error.code() == "SAFETENSORS_INVALID" ? !is_inside : error.code() == "MODEL_TENSOR";
    hold(is_known, "a refusal has the right code");
  }
  return 0;
}
