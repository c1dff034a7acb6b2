#!/usr/bin/env bash
# From a fresh clone to recommendations: sets up, builds, trains, evaluates, exports and answers.
# Uses MovieLens where data/ml-latest-small lies, else a synthetic data set that is made on the spot.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

./setup.sh
say "Build"
cmake --preset release >/dev/null
cmake --build build/release -- --quiet
export PATH="$PWD/build/release/bin:$PATH"

if [ -d data/ml-latest-small ]; then
  config=configs/movielens-als.toml output=runs/movielens-als users=1,2 item="toy story"
else
  say "A synthetic data set"
  [ -f data/synthetic/ratings.csv ] ||
    run kindred-data synth data/synthetic --users 2000 --items 1000 --interactions 100000
  config=configs/synthetic-als.toml output=runs/synthetic-als users=1,2 item=1
fi

say "Train, evaluate, fit once more on everything, export"
run kindred-train "$config" --force --set 'train.refit="all"'

say "The best for two users, and why"
run kindred-topk "$output" --users "$users" -k 10 --explain
say "What is like one item"
run kindred-topk "$output" --items "$item" -k 5 --metric cosine
say "Everybody's lists into a database"
run kindred-topk "$output" --all-users -k 10 --to sqlite:"$output"/recommendations.db
run sqlite3 -header -column "$output"/recommendations.db "select * from recommendations where rank = 1 limit 3"

say "Next"
cat <<'TEXT'
Your own file: docs/your-own-data.md, or at once
  build/release/bin/kindred-data init YOUR.csv
Every key: kindred-train --help-config. What this machine offers: kindred-data doctor. A tour: docs/tutorial.md
TEXT
