#!/usr/bin/env bash
# Sets up, builds and runs the tests.  ./test.sh [--all]
#   --all   also the sanitizers, the style check, the CUDA resource table and every command of the documentation
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh

jobs=$(nproc)
build() {  # PRESET [cmake options]
  local preset=$1
  shift
  cmake --preset "$preset" "$@" >"build/$preset.log" || { cat "build/$preset.log"; exit 1; }
  grep '^-- CUDA' "build/$preset.log" || true
  cmake --build "build/$preset" -- --quiet
}

build release
if [ "${1:-}" = --all ]; then
  tests/style.sh
  if command -v nvcc >/dev/null; then tests/gpu/resources.sh >/dev/null; fi
  build asan
  ctest --test-dir build/asan -j "$jobs" --output-on-failure --no-tests=error -LE slow | tail -n 30
  export KINDRED_DOCUMENTATION=1  # the documentation's commands are tests too
fi
ctest --test-dir build/release -j "$jobs" --output-on-failure --no-tests=error | grep -vE '^ +Start |Passed +[0-9.]+ sec$'
