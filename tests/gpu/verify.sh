#!/usr/bin/env bash
# The one command for a real device: unit tests on cuda, compute-sanitizer on the small ones, then every op's time.
#   verify.sh FOLDER [SECONDS] [RESULTS]
# FOLDER is a build folder or what pack.sh made. Needs the driver and the CUDA libraries, no internet, no HDF5, no
# GoogleTest. Writes RESULTS (FOLDER/results) as it goes and stops at the time budget (900 s); exit 1 where a step failed.
set -uo pipefail
[ $# -ge 1 ] || { echo "usage: verify.sh FOLDER [SECONDS] [RESULTS]" >&2; exit 2; }
folder=$(cd "$1" && pwd) budget=${2:-900}
results=${3:-$folder/results}
mkdir -p "$results"
end=$((SECONDS + budget)) failed=0
[ -f "$folder/lib.tar.gz" ] && [ ! -d "$folder/lib" ] && tar -C "$folder" -xzf "$folder/lib.tar.gz"
for path in "$folder/lib" /usr/local/cuda/lib64; do
  [ -d "$path" ] && LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$path
done
export LD_LIBRARY_PATH
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer /usr/local/cuda/compute-sanitizer/compute-sanitizer 2>/dev/null | head -n 1)
summary=$results/summary.md
{
  echo "| step | seconds | result |"
  echo "|---|---|---|"
} > "$summary"

step() {  # NAME SHARE COMMAND…: at most SHARE per cent of the budget (but 10 s are granted), and never beyond it
  local name=$1 limit=$(($2 * budget / 100)) left=$((end - SECONDS)) begin=$SECONDS status=0 verdict
  shift 2
  [ "$limit" -lt 10 ] && limit=10
  [ "$limit" -gt "$left" ] && limit=$left
  if [ "$limit" -lt 1 ]; then
    echo "| $name | 0 | left out: the time budget is spent |" | tee -a "$summary"
    return
  fi
  timeout "$limit" "$@" > "$results/$name.txt" 2>&1 || status=$?
  case $status in
    0) verdict=passed ;;
    124) verdict="stopped after $limit s" ;;
    *) verdict="FAILED ($status), see $name.txt" ;;
  esac
  case $status in 0 | 124) ;; *) failed=1 ;; esac
  # GoogleTest's own count, where there is one.
  local count
  count=$(grep -oE '^\[  (PASSED|FAILED)  \] [0-9]+ tests?' "$results/$name.txt" | tr -s ' ' | paste -sd' ' -)
  echo "| $name | $((SECONDS - begin)) | $verdict ${count} |" | tee -a "$summary"
}

tests=$folder/bin/kindred_kernels_tests
# Tests name the device in their parameter. What the sanitizers slow down most is left to the plain run.
on_cuda='*cuda*' small='*cuda*-*Large*:*Long*:*Many*'
step device 5 nvidia-smi --query-gpu=name,driver_version,memory.total,memory.free,clocks.max.sm,clocks.max.mem --format=csv
step unit 30 "$tests" --gtest_filter="$on_cuda" --gtest_brief=1
if grep -qF '[  PASSED  ] 0 tests' "$results/unit.txt"; then
  echo "| unit | | FAILED: no test ran on cuda |" | tee -a "$summary"
  failed=1
fi
if [ -n "$sanitizer" ]; then
  for tool in memcheck racecheck; do
    step "$tool" 20 "$sanitizer" --tool "$tool" --error-exitcode 9 "$tests" --gtest_filter="$small" --gtest_brief=1
  done
else
  echo "| memcheck, racecheck | | left out: compute-sanitizer was not found |" | tee -a "$summary"
fi
step ops 60 "$folder/bin/kindred_ops_bench" cuda
[ -s "$results/ops.txt" ] && cat "$results/ops.txt"
exit $failed
