# SPDX-License-Identifier: Apache-2.0
"""Similar rows: kindred_similarity_rounds against the peer of each work, interleaved rounds on the same data and threads.

items-cosine   top-100 of every item by cosine, no values: implicit's CosineRecommender (ml-20m shape; Gowalla)
users-cosine   top-50 of 5,000 users among 138,493 by cosine, no values: scikit-learn's brute-force NearestNeighbors
items-pearson  Pearson over co-rated entries of every pair of items, ML-1M shape: Surprise's similarities.pearson
dense-cosine   top-100 of 8,192 of 200,000 rows of 128 numbers by cosine: faiss.IndexFlatIP over normalized rows

build/peers/bin/python tests/bench/peers/similarity.py [--works items-cosine,…] [--data ml-20m,gowalla] [--rounds 3]
Prints a Markdown table; --write FILE writes a page, --results FILE keeps rounds between calls, --rounds 0 prints them.
"""
import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import report


def gowalla():
    rows = [np.unique(np.array(line.split()[1:], np.int32))
            for line in open(report.ROOT / "data/gowalla/train.txt")]
    return np.cumsum([0] + [len(r) for r in rows]).astype(np.int64), np.concatenate(rows), 40_981


def csr(name):
    """offsets, indices and columns of users x items."""
    from als_data import ITEMS, generate

    if name == "gowalla":
        return gowalla()
    return (*generate(6_040, 3_706), 3_706) if name == "ml-1m" else (*generate(138_493), ITEMS)


def scipy_csr(offsets, indices, columns, values=None):
    import scipy.sparse

    values = np.ones(len(indices)) if values is None else values
    return scipy.sparse.csr_matrix((values, indices, offsets), shape=(len(offsets) - 1, columns))


# A work: what goes to files, what the Kindred half is asked for, a peer's round that returns its similarities by list
# (descending), and of which of our lists these are.

def items_cosine(data, options):
    from implicit.nearest_neighbours import CosineRecommender

    offsets, indices, items = csr(data)
    users = scipy_csr(offsets, indices, items)

    def peer():
        model = CosineRecommender(K=101, num_threads=options.threads)  # its lists hold the item itself
        start = time.perf_counter()
        model.fit(users, show_progress=False)
        return time.perf_counter() - start, model

    def lists(model):
        theirs = model.similarity.tocsr()
        theirs.setdiag(0)
        for item in range(0, items, 97):
            yield item, np.sort(theirs.data[theirs.indptr[item]:theirs.indptr[item + 1]])[::-1][:100]

    return {"offsets.i64": offsets, "indices.i32": indices}, (items, 100, items), peer, lists


def users_cosine(data, options):
    from sklearn.neighbors import NearestNeighbors

    offsets, indices, items = csr(data)
    users, count = scipy_csr(offsets, indices, items), options.queries
    queries = users[[q * users.shape[0] // count for q in range(count)]]

    def peer():
        model = NearestNeighbors(n_neighbors=51, metric="cosine", algorithm="brute", n_jobs=options.threads)
        start = time.perf_counter()
        model.fit(users)
        distances, _ = model.kneighbors(queries)
        return time.perf_counter() - start, distances

    def lists(distances):
        for q in range(0, count, 97):
            yield q, 1 - distances[q, 1:]  # without the user

    return {"offsets.i64": offsets, "indices.i32": indices}, (items, 50, count), peer, lists


def items_pearson(data, options):
    from surprise import similarities

    offsets, indices, items = csr(data)
    values = np.random.default_rng(5).integers(1, 6, len(indices)).astype(np.float32)
    rated = {u: [(int(i), float(r)) for i, r in zip(indices[a:b], values[a:b])]
             for u, (a, b) in enumerate(zip(offsets, offsets[1:]))}

    def peer():
        start = time.perf_counter()
        matrix = similarities.pearson(items, rated, 1)
        return time.perf_counter() - start, matrix

    def lists(matrix):
        matrix = np.array(matrix)
        np.fill_diagonal(matrix, -2)
        for item in range(0, items, 7):
            yield item, np.sort(matrix[item])[::-1][:100]

    return {"offsets.i64": offsets, "indices.i32": indices, "values.f32": values}, (items, 100, items), peer, lists


def dense_cosine(data, options):
    import faiss

    faiss.omp_set_num_threads(options.threads)
    rows, count = np.random.default_rng(1).standard_normal((200_000, 128), dtype=np.float32), 8_192

    def peer():
        start = time.perf_counter()
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(unit)
        scores, _ = index.search(unit[:count], 101)
        return time.perf_counter() - start, scores

    def lists(scores):
        for q in range(0, count, 97):
            yield q, scores[q, 1:]

    return {"rows.f32": rows}, (rows.shape[1], 100, count), peer, lists


WORKS = {"items-cosine": ("ml-20m,gowalla", "implicit", items_cosine), "users-cosine": ("ml-20m", "scikit-learn", users_cosine),
         "items-pearson": ("ml-1m", "scikit-surprise", items_pearson), "dense-cosine": ("200,000 x 128", "faiss-cpu", dense_cosine)}


def measure(work, data, options, results):
    files, (columns, k, count), peer, lists = WORKS[work][2](data, options)
    with tempfile.TemporaryDirectory() as folder:
        for name, array in files.items():
            array.tofile(f"{folder}/{name}")
        ours = subprocess.Popen([report.BIN / "kindred_similarity_rounds", folder, str(columns), str(k),
                                 str(options.threads), work, str(count)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        rounds = []
        for _ in range(options.rounds):
            ours.stdin.write("go\n")
            ours.stdin.flush()
            seconds, way = ours.stdout.readline().split()
            theirs, found = peer()
            rounds.append({"work": work, "data": data, "kindred": float(seconds), "way": way, "peer": theirs})
        ours.stdin.close()
        memory = os.wait4(ours.pid, 0)[2].ru_maxrss / 2**20
        mine = np.fromfile(f"{folder}/similarities.f32", np.float32).reshape(count, k)
    # Equal similarities at each place of a list, whatever the order of ties; where fewer were found, as many.
    apart = 0.0
    for row, theirs in lists(found):
        own = mine[row][np.isfinite(mine[row])][:len(theirs)]
        apart = max(apart, np.abs(own - theirs[:len(own)]).max(initial=0))
    for entry in rounds:
        results.add(entry | {"apart": float(apart), "memory": memory})


def row(work, data, rounds):
    mine, theirs, peer = [r["kindred"] for r in rounds], [r["peer"] for r in rounds], WORKS[work][1]
    return (work, data, f"{peer} {importlib.metadata.version(peer)}", len(rounds), f"{min(mine):.3f}", f"{min(theirs):.3f}",
            report.ratio(mine, theirs), rounds[-1]["way"], f"{max(r['memory'] for r in rounds):.2f}",
            f"{max(r['apart'] for r in rounds):.1g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--data", help="of a work's data these alone")
    parser.add_argument("--queries", type=int, default=5_000, help="of users-cosine")
    report.add_round_options(parser)
    parser.set_defaults(rounds=3)
    options = parser.parse_args()
    results, rows = report.Results(options.results), []
    for work in options.works.split(","):
        for data in [WORKS[work][0]] if work == "dense-cosine" else WORKS[work][0].split(","):
            if options.rounds > 0 and (options.data is None or data in options.data.split(",")):
                try:
                    measure(work, data, options, results)
                except ImportError as error:
                    print(f"skipped: {error}; ./setup.sh --bench installs the peers")
            if found := results.of(work=work, data=data):
                rows.append(row(work, data, found))
    body = "\n".join([
        report.provenance(options.threads, "build/peers/bin/python tests/bench/peers/similarity.py"),
        "",
        "Works as the script's head tells them; ml-20m and ml-1m are synthetic matrices of their shapes (`als_data.py`). "
        "Interleaved rounds, least seconds; ratio of minima (round by round); the way that the planner took; GiB that our "
        "process held at most, data included; the largest difference of two similarities at the same place of a list.",
        "",
        report.table(("work", "data", "peer", "rounds", "Kindred, s", "peer, s", "ratio", "way", "GiB", "difference"), rows)])
    print(body)
    if options.write:
        report.write_page(options.write, "Similar rows against their peers", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
