// SPDX-License-Identifier: Apache-2.0
// Model files: any bytes are refused in one line or are a model, whole and in parts.
#include <cstdint>

#include "engine/store/model_file.hpp"
#include "tests/fuzz/fuzz.hpp"

/// HDF5 1.10.8 loses some hundred bytes for each piece of metadata that it refuses.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace kindred;
  fuzz::be_quiet();
  const fuzz::MemoryFile file({reinterpret_cast<const char*>(bytes), size});
  for (const bool whole : {true, false}) {
    try {
      const FittedModel model = load_model(file.path(), {.users = whole, .history = whole, .catalogue = whole});
      fuzz::check(model.users && model.items, "a model has users and items");
    } catch (const InputError& error) {
      fuzz::check_message(error);
    }
  }
  return 0;
}
