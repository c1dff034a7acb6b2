# SPDX-License-Identifier: Apache-2.0
"""Reading a CSV file of interactions: kindred_read_rounds against polars.read_csv, interleaved rounds, the same threads.

build/release/bin/kindred-data synth data/read --users 138000 --items 27000 --interactions 20000000
build/peers/bin/python tests/bench/peers/read_polars.py data/read/ratings.csv [--rounds 5] [--threads 2]
Prints a Markdown table. Polars makes columns of numbers; Kindred also maps both sides' ids to rows, and its second time
has the sorted matrix too.
"""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(options.threads)  # read when Polars starts
    try:
        import polars
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    program = Path(os.environ.get("KINDRED_BIN", ROOT / "build/release/bin")) / "kindred_read_rounds"
    ours = subprocess.Popen(
        [program, options.file, str(options.threads)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    read, whole, theirs = [], [], []
    for turn in range(options.rounds + 1):  # the first warms up
        ours.stdin.write("go\n")
        ours.stdin.flush()
        until_ids, until_matrix, rows, arrays, peak = ours.stdout.readline().split()
        start = time.perf_counter()
        frame = polars.read_csv(options.file)
        elapsed = time.perf_counter() - start
        assert frame.height == int(rows), (frame.height, rows)
        del frame
        if turn:
            read.append(float(until_ids)), whole.append(float(until_matrix)), theirs.append(elapsed)
    ours.stdin.close()
    ours.wait()
    name = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    size = os.path.getsize(options.file)

    def line(label, seconds):
        all_of = ", ".join(f"{s:.2f}" for s in seconds)
        least = min(seconds)
        return f"| {label} | {least:.2f} ({all_of}) | {int(rows) / least / 1e6:.1f} | {size / least / 1e6:.0f} |"

    print(f"{int(rows):,} rows, {size / 1e6:.0f} MB; {name}, {options.threads} threads; {options.rounds} interleaved rounds; "
          f"polars {polars.__version__}\n")
    print("| | seconds, least (all) | million rows/s | MB/s |\n|---|---|---|---|")
    print(line("Kindred: rows and ids", read))
    print(line("Kindred: with the matrix", whole))
    print(line("polars.read_csv", theirs))
    print(f"\nRatio of minima {min(theirs) / min(read):.2f}, with the matrix {min(theirs) / min(whole):.2f}. "
          f"Peak memory {int(peak) / 2**20:,.0f} MiB, {int(peak) / int(arrays):.2f} times the {int(arrays) / 2**20:,.0f} MiB "
          "of matrix and ids.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
