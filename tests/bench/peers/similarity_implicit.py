# SPDX-License-Identifier: Apache-2.0
"""Item-item cosine similarities: kindred_similarity_rounds against implicit's CosineRecommender, interleaved rounds on
the same matrix and threads; both start from users x items and end with every item's most similar items.

build/peers/bin/python tests/bench/peers/similarity_implicit.py [--data ml-20m,gowalla] [--rounds 5]
Prints a Markdown table; --write FILE writes a page, --results FILE keeps rounds between calls, --rounds 0 prints them.
"""
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
import report


def gowalla():
    import numpy as np

    rows = [np.unique(np.array(line.split()[1:], np.int32))
            for line in open(report.ROOT / "data/gowalla/train.txt")]
    return np.cumsum([0] + [len(r) for r in rows]).astype(np.int64), np.concatenate(rows), 40_981


def matrix(name):
    if name == "gowalla":
        return gowalla()
    from als_data import ITEMS, generate

    return *generate(138_493), ITEMS


def measure(options, name, results):
    import numpy as np
    import scipy.sparse
    from implicit.nearest_neighbours import CosineRecommender

    offsets, indices, items = matrix(name)
    users = scipy.sparse.csr_matrix((np.ones(len(indices)), indices, offsets), shape=(len(offsets) - 1, items))
    with tempfile.TemporaryDirectory() as folder:
        offsets.tofile(f"{folder}/offsets.i64")
        indices.tofile(f"{folder}/indices.i32")
        ours = subprocess.Popen([report.BIN / "kindred_similarity_rounds", folder, str(items), str(options.k),
                                 str(options.threads), "cosine"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        rounds = []
        for _ in range(options.rounds):
            ours.stdin.write("go\n")
            ours.stdin.flush()
            seconds, method = ours.stdout.readline().split()
            peer = CosineRecommender(K=options.k + 1, num_threads=options.threads)  # its lists hold the item itself
            start = time.perf_counter()
            peer.fit(users, show_progress=False)
            rounds.append({"data": name, "kindred": float(seconds), "method": method, "implicit": time.perf_counter() - start})
        ours.stdin.close()
        ours.wait()
        found = np.fromfile(f"{folder}/similarities.f32", np.float32).reshape(items, options.k)
    # Its lists, without the items themselves: equal similarities, whatever the order of ties.
    theirs = peer.similarity.tocsr()
    theirs.setdiag(0)
    apart = 0.0
    for item in range(0, items, 97):
        row = np.sort(theirs.data[theirs.indptr[item]:theirs.indptr[item + 1]])[::-1][:options.k]
        mine = found[item][np.isfinite(found[item])][:len(row)]
        apart = max(apart, np.abs(mine - row[:len(mine)]).max(initial=0))
    for entry in rounds:
        results.add(entry | {"apart": float(apart), "entries": len(indices)})


def row(name, rounds):
    mine, theirs = [r["kindred"] for r in rounds], [r["implicit"] for r in rounds]
    return (name, f"{rounds[0]['entries']:,}", len(rounds), f"{min(mine):.3f}", f"{min(theirs):.3f}",
            report.ratio(mine, theirs), f"{max(r['apart'] for r in rounds):.1g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-20m,gowalla")
    report.add_round_options(parser)
    options = parser.parse_args()
    try:
        import implicit
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    results, names = report.Results(options.results), options.data.split(",")
    if options.rounds > 0:
        for name in names:
            measure(options, name, results)
    body = "\n".join([
        report.provenance(options.threads, "build/peers/bin/python tests/bench/peers/similarity_implicit.py"),
        "",
        f"Top-{options.k} cosine neighbors of every item; implicit {implicit.__version__}, CosineRecommender; interleaved "
        "rounds, least seconds; ratio of minima (round by round); the largest difference of two similarities at the same "
        "place of a list, every 97th item. ml-20m: the synthetic matrix of its shape (`als_data.py`).",
        "",
        report.table(("data", "entries", "rounds", "Kindred, s", "implicit, s", "ratio", "difference"),
                     [row(name, rounds) for name in names if (rounds := results.of(data=name))])])
    print(body)
    if options.write:
        report.write_page(options.write, "Similarities of items against implicit", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
