# SPDX-License-Identifier: Apache-2.0
"""Top-k over all items: kindred_topk_rounds against faiss.IndexFlatIP, interleaved rounds on the same tables and threads.

build/peers/bin/python tests/bench/peers/topk_faiss.py [--queries 2000] [--items 1000000] [--factors 64] [--rounds 5]
Prints a Markdown table; --write FILE writes it.
"""
import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--write")
    options = parser.parse_args()
    try:
        import faiss
        import numpy as np
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    faiss.omp_set_num_threads(options.threads)
    draw = np.random.default_rng(1)
    queries = draw.standard_normal((options.queries, options.factors), dtype=np.float32)
    items = draw.standard_normal((options.items, options.factors), dtype=np.float32)
    index = faiss.IndexFlatIP(options.factors)
    index.add(items)
    with tempfile.TemporaryDirectory() as folder:
        queries.tofile(f"{folder}/queries.f32")
        items.tofile(f"{folder}/items.f32")
        ours = subprocess.Popen(
            [os.path.join(os.environ.get("KINDRED_BIN", ROOT / "build/release/bin"), "kindred_topk_rounds"), folder, str(options.factors), str(options.k), str(options.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        mine, theirs, products = [], [], []
        for turn in range(options.rounds + 1):  # the first warms up
            ours.stdin.write("go\n")
            ours.stdin.flush()
            seconds, product = map(float, ours.stdout.readline().split())
            start = time.perf_counter()
            _, ids = index.search(queries, options.k)
            elapsed = time.perf_counter() - start
            if turn:
                mine.append(seconds), theirs.append(elapsed), products.append(product)
        ours.stdin.close()
        ours.wait()
        found = np.fromfile(f"{folder}/ids.i32", np.int32).reshape(ids.shape)
    same = np.mean([len(set(a) & set(b)) for a, b in zip(found, ids)]) / options.k
    rate = 2e-9 * options.queries * options.items * options.factors / min(mine)
    ratios = sorted(b / a for a, b in zip(mine, theirs))
    table = "\n".join([
        f"top-{options.k} of {options.queries:,} queries over {options.items:,} items, d = {options.factors}; "
        f"{cpu_name()}, {options.threads} threads; {options.rounds} interleaved rounds; faiss {faiss.__version__}",
        "",
        "| | seconds, least (all) | GFLOP/s | share of sgemm |",
        "|---|---|---|---|",
        f"| Kindred | {min(mine):.2f} ({', '.join(f'{s:.2f}' for s in mine)}) | {rate:.0f} | {rate / max(products):.0%} of {max(products):.0f} |",
        f"| faiss IndexFlatIP | {min(theirs):.2f} ({', '.join(f'{s:.2f}' for s in theirs)}) | {rate * min(mine) / min(theirs):.0f} | |",
        "",
        f"Ratio of minima {min(theirs) / min(mine):.1f}; pair by pair {ratios[0]:.1f} to {ratios[-1]:.1f}. Lists agree in {same:.3%} of their items.",
    ])
    print(table)
    if options.write:
        Path(options.write).write_text(f"# Top-k against faiss\nWritten by `tests/bench/peers/topk_faiss.py`.\n\n{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
