// SPDX-License-Identifier: Apache-2.0
#include "engine/experiment/schema_detail.hpp"
#include "kernels/context.hpp"

namespace kindred::detail {

void add_run_keys(KeyTable& t) {
  t.begin("");
  t.text("name", "text", true, "Name of the run; default: the config file's name without its ending.", FIELD(name));
  t.add(
      "output", "folder", "", false, "The run folder, from the working directory; default runs/<name>.",
      [](Config& c, const TomlValue& v) { c.output = text_of(v); },
      [](const Config& c) { return quote(c.output.string()); });
  t.whole("seed", 0, kMost, true, "Of every random draw: same seed, same device, same result.", FIELD(seed));
  t.text("device", "text", false, "\"auto\" (CUDA where it works, else the CPU), \"cpu\", \"cuda\" or \"cuda:N\".",
         FIELD(device));
  t.whole("threads", 0, kMaxThreads, false, "CPU threads; 0: all cores.", FIELD(threads));
}

}  // namespace kindred::detail
