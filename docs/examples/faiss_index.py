# SPDX-License-Identifier: Apache-2.0
"""Kindred's vectors in a FAISS index (pip install faiss-cpu): the same items in the same order as kindred-topk gives
with --include-seen --include-held-out.

    kindred-data export runs/movielens-als vectors/items --items --fold-bias
    kindred-data export runs/movielens-als vectors/users --users --fold-bias
    python faiss_index.py vectors/items vectors/users 1,2 10
"""
import csv
import json
import pathlib
import sys

import faiss
import numpy as np


def load(folder):
    folder = pathlib.Path(folder)
    about = json.loads((folder / "meta.json").read_text())
    ids = (folder / "ids.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return about, ids, np.load(folder / "vectors.npy")


def main(item_folder, user_folder, users, k=10):
    about, items, vectors = load(item_folder)
    _, names, rows = load(user_folder)
    if about["metric"] == "cosine":  # without --fold-bias
        faiss.normalize_L2(vectors)
        faiss.normalize_L2(rows)
    index = faiss.IndexFlatIP(about["dimension"])  # exact; IndexHNSWFlat and others take the same vectors
    index.add(vectors)
    asked = users.split(",")
    scores, found = index.search(rows[[names.index(name) for name in asked]], int(k))
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["user", "rank", "item", "score"])
    for name, row, products in zip(asked, found, scores):
        for rank, (item, product) in enumerate(zip(row, products), 1):
            out.writerow([name, rank, items[item], product])


if __name__ == "__main__":
    main(*sys.argv[1:])
