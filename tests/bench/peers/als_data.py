# SPDX-License-Identifier: Apache-2.0
"""A synthetic matrix of MovieLens-20M's shape (138,493 x 26,744, 20 million entries, its skew of users and items), as raw
CSR files for tests/bench/als_epochs.cpp and peers. Usage: als_data.py FOLDER [SCALE], SCALE 0.5 halves the users."""
import sys
from pathlib import Path

import numpy as np

ITEMS = 26_744


def generate(users, items=ITEMS, seed=7):
    draw = np.random.default_rng(seed)
    popularity = np.exp(-11.24 * ((np.arange(items) + 0.5) / items) ** 0.45)
    cumulative = np.cumsum(popularity / popularity.sum())
    wanted = np.minimum(9254, 20 + np.exp(np.log(49.7) + 1.38 * draw.normal(size=users))).astype(np.int64)
    place = draw.permutation(items).astype(np.int32)
    offsets, indices = [np.zeros(1, np.int64)], []
    for begin in range(0, users, 10_000):
        part = wanted[begin : begin + 10_000]
        draws = part * 2 + 20
        user = np.repeat(np.arange(len(part)), draws)
        item = np.minimum(np.searchsorted(cumulative, draw.random(len(user))), items - 1)
        _, first = np.unique(user * items + item, return_index=True)
        first.sort()  # distinct pairs in the order drawn, users together
        user, item = user[first], item[first]
        rank = np.arange(len(user)) - np.searchsorted(user, user)
        keep = rank < part[user]
        user, item = user[keep], place[item[keep]]
        order = np.lexsort((item, user))
        indices.append(item[order])
        offsets.append(np.bincount(user, minlength=len(part)))
    return np.cumsum(np.concatenate(offsets)).astype(np.int64), np.concatenate(indices).astype(np.int32)


def main():
    folder = Path(sys.argv[1])
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    folder.mkdir(parents=True, exist_ok=True)
    offsets, indices = generate(int(138_493 * scale))
    offsets.tofile(folder / "offsets.i64")
    indices.tofile(folder / "indices.i32")
    np.full(len(indices), 2, np.float32).tofile(folder / "values.f32")
    print(f"{len(offsets) - 1} x {ITEMS}, {len(indices)} entries")


if __name__ == "__main__":
    main()
