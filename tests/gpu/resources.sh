#!/usr/bin/env bash
# What a compiler alone can tell of the CUDA kernels, for sm_80 and sm_90: registers, spills, stack, static shared memory
# and how many warps a multiprocessor then holds.  tests/gpu/resources.sh [--write]
#   --write   also into docs/measurements/cuda-resources.md
# Fails where a kernel spills or keeps a stack frame, unless tests/gpu/resources.allow has a line that says why.
set -euo pipefail
cd "$(dirname "$0")/../.."
nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || { echo "resources: nvcc was not found: put it on PATH or set CUDACXX" >&2; exit 1; }
ptxas=$(dirname "$nvcc")/ptxas
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

compile() {  # SOURCE ARCHITECTURE
  local name
  name=$(basename "$1" .cu)
  "$nvcc" -std=c++20 -O3 --extended-lambda --expt-relaxed-constexpr --diag-suppress=554 -DKINDRED_CUDA_TARGETS='"none"' -I. \
    -ptx -arch="compute_$2" -o "$out/$name.$2.ptx" "$1"
  "$ptxas" -v -arch="sm_$2" -o /dev/null "$out/$name.$2.ptx" 2> "$out/$name.$2.log" || { cat "$out/$name.$2.log" >&2; return 1; }
}
export -f compile
export nvcc ptxas out
for source in kernels/cuda/*.cu; do printf '%s 80\n%s 90\n' "$source" "$source"; done |
  xargs -P "$(nproc)" -L 1 bash -c 'compile "$0" "$1"'

# One line a kernel: file|architecture|kernel|threads|registers|spilled bytes|stack bytes|static shared bytes
for log in "$out"/*.log; do
  base=${log%.log}
  # The PTX knows the launch bounds, the assembler's report the rest.
  awk '/^\.(visible )?\.?entry|\.entry / { match($0, /entry [^(]+/); name = substr($0, RSTART + 6, RLENGTH - 6) }
       /^\.maxntid/ { gsub(/[,;]/, " "); threads[name] = $2 * ($3 ? $3 : 1) * ($4 ? $4 : 1) }
       END { for (n in threads) print n, threads[n] }' "$base.ptx" > "$base.threads"
  awk -v file="$(basename "${base%.*}")" -v arch="${base##*.}" '
    FILENAME == ARGV[1] { threads[$1] = $2; next }
    /Compiling entry function/ { split($0, quoted, "\x27"); name = quoted[2] }
    /bytes stack frame/ { stack = $1; spill = $5 + $9 }
    /Used [0-9]+ registers/ {
      match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
      shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
      printf "%s|%s|%s|%s|%d|%d|%d|%d\n", file, arch, name, name in threads ? threads[name] : "", registers, spill, stack, shared
    }' "$base.threads" "$log"
done | c++filt | sed -E 's/\(anonymous namespace\):://g; s/kindred::cuda:://g; s/void //g; s/\([A-Za-z:]+\)([0-9]+)/\1/g' |
  awk -F'|' -v OFS='|' '{ sub(/\(.*/, "", $3); print }' | sort -t'|' -k1,1 -k3,3 -k2,2 > "$out/table"

table() {
  awk -F'|' '
    function ceil_to(x, step) { return int((x + step - 1) / step) * step }
    BEGIN {
      print "| file | kernel | sm | threads | registers | spilled | stack | static shared | warps of 64 |"
      print "|---|---|---|---|---|---|---|---|---|"
    }
    $3 ~ /^cub::|thrust::/ { library++; if ($5 > most) most = $5; next }
    {
      threads = $4 ? $4 : 256
      warps = ceil_to(threads, 32) / 32
      blocks = int(int(65536 / ceil_to($5 * 32, 256)) / warps)
      if ($8 > 0) { by_shared = int(($2 == 90 ? 228 : 164) * 1024 / ($8 + 1024)); if (by_shared < blocks) blocks = by_shared }
      if (blocks > 32) blocks = 32
      resident = blocks * warps; if (resident > 64) resident = 64
      printf "| %s | `%s` | %s | %s | %d | %d | %d | %d | %d |\n", $1, $3, $2, $4, $5, $6, $7, $8, resident
    }
    END { if (library) printf "\nBeside these, %d kernels of CUB (at most %d registers), which are as NVIDIA made them.\n", library, most }
  ' "$out/table"
}
table
if [ "${1:-}" = --write ]; then
  {
    echo "# Resources of the CUDA kernels"
    echo
    echo "Written by \`tests/gpu/resources.sh --write\` with nvcc $("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')."
    echo "\"threads\" is the kernel's launch bound where it has one. \"warps of 64\" is what a multiprocessor can hold by"
    echo "registers, static shared memory and that bound (256 threads without one); dynamic shared memory, which the launch"
    echo "configurations choose, may lower it."
    echo
    table
    if [ -s tests/gpu/resources.allow ]; then
      echo
      echo "Spills and stack frames that are meant:"
      echo
      sed -nE 's/^([^#|]+)\|(.*)$/- `\1`: \2/p' tests/gpu/resources.allow
    fi
  } > docs/measurements/cuda-resources.md
fi

failed=0
while IFS='|' read -r file arch kernel _ _ spilled stack _; do
  [ "$spilled" = 0 ] && [ "$stack" = 0 ] && continue
  case $kernel in cub::*|thrust::*) continue ;; esac
  if ! cut -d'|' -f1 tests/gpu/resources.allow 2>/dev/null | grep -v '^#' | grep -qxF "$kernel"; then
    echo "resources: $file.cu: $kernel on sm_$arch: $spilled bytes spilled, $stack bytes of stack; lower its registers or justify it in tests/gpu/resources.allow" >&2
    failed=1
  fi
done < "$out/table"
exit $failed
