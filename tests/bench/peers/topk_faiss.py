# SPDX-License-Identifier: Apache-2.0
"""Top-k over all items: kindred_topk_rounds against faiss.IndexFlatIP, interleaved rounds on the same tables and threads.

build/peers/bin/python tests/bench/peers/topk_faiss.py [--queries 2048,512] [--items 1000000] [--factors 64]
    [--rounds 5] [--results FILE] [--write PAGE]
FILE keeps rounds between calls: --queries 2048 and --queries 512 may be run apart; --rounds 0 then prints the table.
"""
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import report


def measure(options, queries, results):
    """Adds a round's seconds of both, our product rate and how many items the lists share."""
    import faiss
    import numpy as np

    draw = np.random.default_rng(1)
    x = draw.standard_normal((queries, options.factors), dtype=np.float32)
    items = draw.standard_normal((options.items, options.factors), dtype=np.float32)
    index = faiss.IndexFlatIP(options.factors)
    index.add(items)
    with tempfile.TemporaryDirectory() as folder:
        x.tofile(f"{folder}/queries.f32")
        items.tofile(f"{folder}/items.f32")
        ours = subprocess.Popen([report.BIN / "kindred_topk_rounds", folder, str(options.factors), str(options.k),
                                 str(options.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        rounds = []
        for turn in range(options.rounds + 1):  # the first warms up
            ours.stdin.write("go\n")
            ours.stdin.flush()
            seconds, product = map(float, ours.stdout.readline().split())
            start = time.perf_counter()
            _, ids = index.search(x, options.k)
            elapsed = time.perf_counter() - start
            if turn:
                rounds.append({"queries": queries, "kindred": seconds, "faiss": elapsed, "product": product})
        ours.stdin.close()
        ours.wait()
        found = np.fromfile(f"{folder}/ids.i32", np.int32).reshape(ids.shape)
    same = np.mean([len(set(a) & set(b)) for a, b in zip(found, ids)]) / options.k
    for entry in rounds:
        results.add(entry | {"same": same})


def row(options, queries, rounds):
    mine, theirs = [r["kindred"] for r in rounds], [r["faiss"] for r in rounds]
    work, product = 2e-9 * queries * options.items * options.factors, max(r["product"] for r in rounds)
    rate = lambda seconds: f"{work / min(seconds):.0f}"
    return (f"{queries:,}", len(rounds), f"{min(mine):.3f}", f"{min(theirs):.3f}", report.ratio(mine, theirs),
            rate(mine), rate(theirs), f"{product:.0f}", f"{work / min(mine) / product:.0%}",
            f"{min(r['same'] for r in rounds):.3%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", default="2048,512")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--factors", type=int, default=64)
    report.add_round_options(parser)
    options = parser.parse_args()
    try:
        import faiss
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    faiss.omp_set_num_threads(options.threads)
    results, sizes = report.Results(options.results), [int(q) for q in options.queries.split(",")]
    if options.rounds > 0:
        for queries in sizes:
            measure(options, queries, results)
    body = "\n".join([
        report.provenance(options.threads, "build/peers/bin/python tests/bench/peers/topk_faiss.py"),
        "",
        f"Top-{options.k} over {options.items:,} items, d = {options.factors}; faiss {faiss.__version__}, IndexFlatIP; "
        "interleaved rounds, least seconds; ratio of minima (round by round); sgemm is a product of two 2,048 x 2,048 "
        "matrices by our gemm in the same rounds.",
        "",
        report.table(("queries", "rounds", "Kindred, s", "faiss, s", "ratio", "our GFLOP/s", "its GFLOP/s",
                      "sgemm GFLOP/s", "our share of sgemm", "items that both lists have"),
                     [row(options, queries, rounds) for queries in sizes if (rounds := results.of(queries=queries))])])
    print(body)
    if options.write:
        report.write_page(options.write, "Top-k against faiss", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
