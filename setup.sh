#!/usr/bin/env bash
# Installs what building and testing Kindred needs: Debian packages, only those that are missing, none removed; and a
# Python environment in build/venv with the tests' checks. Safe to run again.  ./setup.sh [--bench]
#   --bench   also the peers that benchmarks compare with (implicit, faiss), in build/peers
set -euo pipefail
cd "$(dirname "$0")"

packages=(
  build-essential cmake ninja-build ccache pkg-config clang-format clang libclang-rt-dev git python3-venv
  libhdf5-dev libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libfast-float-dev
  libxxhash-dev librandom123-dev libhwy-dev libdnnl-dev libopenblas-serial-dev libboost-context-dev
  libgtest-dev libgmock-dev libbenchmark-dev zlib1g-dev libsqlite3-dev sqlite3
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    echo "setup.sh: this is not a Debian system; install the equivalents of: ${missing[*]}" >&2
    exit 1
  fi
  sudo=()
  if [ "$(id -u)" != 0 ]; then sudo=(sudo); fi
  echo "installing: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}" >/dev/null
fi

# environment FOLDER REQUIREMENTS: a virtual environment, made again when its requirements change.
environment() {
  mkdir -p build
  if ! cmp -s "$2" "$1/requirements.txt"; then
    /usr/bin/python3 -m venv --clear "$1"
    "$1/bin/pip" install -q --disable-pip-version-check -r "$2"
    cp "$2" "$1/requirements.txt"
  fi
}
environment build/venv tests/requirements.txt
if [ "${1:-}" = --bench ]; then environment build/peers tests/bench/peers/requirements.txt; fi

# Data sets are linked, never copied: from $KINDRED_DATA, or from ../shared/data where that exists.
source=${KINDRED_DATA:-../shared/data}
for set in ml-latest-small gowalla retailrocket hetrec-lastfm-2k; do
  if [ -e "data/$set" ]; then continue; fi
  if [ -d "$source/$set" ]; then
    ln -sfn "$(realpath "$source/$set")" "data/$set"
  else
    echo "data/$set: not there; data/README.md says where to get it (only its own configs and tests need it)"
  fi
done

if command -v nvcc >/dev/null; then
  echo "CUDA: $(nvcc --version | grep -o 'release [0-9.]*') found, the CUDA part will be built"
else
  echo "CUDA: nvcc not found, building for the CPU alone (put nvcc on PATH to change that)"
fi
