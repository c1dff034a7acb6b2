// SPDX-License-Identifier: Apache-2.0
// Configs: any text is refused in one line, or loads; then the resolved config loads too, as itself.
#include <cstdint>

#include "engine/experiment/config.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace kindred;
  fuzz::be_quiet();
  const fuzz::MemoryFile file({reinterpret_cast<const char*>(bytes), size});
  std::string resolved;
  try {
    resolved = load_config(file.path()).resolved;
  } catch (const InputError& error) {
    fuzz::check_message(error);
    return 0;
  }
  try {
    const std::string again = load_config(fuzz::MemoryFile(resolved).path()).resolved;
    fuzz::check(again == resolved, "a resolved config resolves to itself:\n" + resolved + "\n---\n" + again);
  } catch (const InputError& error) {
    fuzz::check(false, "a resolved config loads: " + std::string(error.what()) + "\n" + resolved);
  }
  return 0;
}
