#!/usr/bin/env bash
# Collects what verify.sh needs on a machine with a GPU and nothing else: built binaries and their libraries.
# tests/gpu/pack.sh BUILD_DIR OUT_DIR
set -euo pipefail
[ $# = 2 ] || { echo "usage: tests/gpu/pack.sh BUILD_DIR OUT_DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
build=$1 out=$2 limit_mib=64
binaries=()
for name in kindred_kernels_tests kindred_ops_bench; do
  [ -x "$build/bin/$name" ] || { echo "pack: $build/bin/$name is missing; build it first (with -DKINDRED_CUDA=ON -DKINDRED_BENCH=ON)" >&2; exit 1; }
  binaries+=("$build/bin/$name")
done
rm -rf "$out"
mkdir -p "$out/bin" "$out/lib"
for binary in "${binaries[@]}"; do strip -o "$out/bin/$(basename "$binary")" "$binary"; done
# All libraries but the C library's own, which belong to the machine.
ldd "${binaries[@]}" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
  grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} "$out/lib/"
tar -C "$out" -czf "$out/lib.tar.gz" lib
rm -r "$out/lib"
cp "$here/verify.sh" "$out/"
size=$(du -sm "$out" | cut -f1)
echo "$out: $size MiB; there: ./verify.sh . [SECONDS]"
[ "$size" -le "$limit_mib" ] || { echo "pack: $size MiB are above the limit of $limit_mib" >&2; exit 1; }
