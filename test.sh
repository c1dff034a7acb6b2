#!/usr/bin/env bash
# Sets up, builds and runs the tests.  ./test.sh [--all]
#   --all   also style, the CUDA resource table, AddressSanitizer and UBSan, ThreadSanitizer, fuzzing, and every command of
#           the documentation
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh

jobs=$(nproc)
say() { printf '\n%s: %s\n' "$(date +%T)" "$*"; }
build() {  # PRESET [targets…]
  say "build $1"
  cmake --preset "$1" >"build/$1.log" || { cat "build/$1.log"; exit 1; }
  grep '^-- CUDA' "build/$1.log" || true
  ninja -C "build/$1" --quiet "${@:2}"
}
check() {  # PRESET [ctest options…]: prints what failed and the summary
  say "test $1"
  ctest --test-dir "build/$1" -j "$jobs" --output-on-failure --no-tests=error "${@:2}" |
    grep -vE '^ +Start |Passed +[0-9.]+ sec$'
}

if [ "${1:-}" = --all ]; then
  say "style"
  tests/style.sh
fi
build release
if [ "${1:-}" = --all ]; then
  if command -v nvcc >/dev/null; then
    say "resources of the CUDA kernels"
    tests/gpu/resources.sh >/dev/null
  fi
  build asan
  check asan -LE slow
  build tsan tests
  check tsan -E '^python'
  build fuzz fuzz
  check fuzz
  export KINDRED_DOCUMENTATION=1  # the documentation's commands are tests too
fi
check release
