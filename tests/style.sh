#!/usr/bin/env bash
# Formatting of all sources, and what each folder includes against the house table (docs/architecture.md).
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror
python3 tests/house.py
