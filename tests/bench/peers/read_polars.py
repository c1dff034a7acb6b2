# SPDX-License-Identifier: Apache-2.0
"""Reading CSV files of interactions: kindred_read_rounds against polars.read_csv, interleaved rounds, the same threads.

for n in 1000000:6900 10000000:69000 20000000:138000 100000000:690000; do
  build/release/bin/kindred-data synth data/read/${n%:*} --users ${n#*:} --items 27000 --interactions ${n%:*}
done
build/peers/bin/python tests/bench/peers/read_polars.py data/read/*/ratings.csv [--rounds 5] [--threads 2]
    [--results FILE] [--write docs/measurements/reading.md]
Polars makes columns of numbers; Kindred also maps both sides' ids to rows, and its second time has the sorted matrix
too.
"""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import report


def rounds(file, count, threads, results):
    import polars

    ours = subprocess.Popen([report.BIN / "kindred_read_rounds", file, str(threads)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for turn in range(count + 1):  # the first warms up
        ours.stdin.write("go\n")
        ours.stdin.flush()
        until_ids, until_matrix, rows, arrays, peak = ours.stdout.readline().split()
        start = time.perf_counter()
        frame = polars.read_csv(file)
        elapsed = time.perf_counter() - start
        assert frame.height == int(rows), (frame.height, rows)
        del frame
        if turn:
            results.add({"rows": int(rows), "bytes": os.path.getsize(file), "ids": float(until_ids),
                         "matrix": float(until_matrix), "polars": elapsed, "arrays": int(arrays), "peak": int(peak)})
    ours.stdin.close()
    ours.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--results", help="JSON lines that are kept between calls")
    parser.add_argument("--write", help="a page of docs/measurements")
    options = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(options.threads)  # read when Polars starts
    try:
        import polars
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    results = report.Results(options.results)
    for file in options.file:
        rounds(file, options.rounds, options.threads, results)

    table = []
    for rows in sorted({entry["rows"] for entry in results.entries}):
        entries = results.of(rows=rows)
        ids, matrix, theirs = ([entry[what] for entry in entries] for what in ("ids", "matrix", "polars"))
        peak, arrays = max(entry["peak"] for entry in entries), entries[0]["arrays"]
        table.append((f"{rows:,}", f"{entries[0]['bytes'] / 1e6:,.0f}", len(entries), f"{min(ids):.3f}", f"{min(matrix):.3f}",
                      f"{min(theirs):.3f}", report.ratio(ids, theirs), report.ratio(matrix, theirs),
                      f"{1e9 * min(matrix) / rows:.0f}", f"{peak / 2**20:,.0f}", f"{peak / arrays:.2f}"))
    body = "\n".join([
        report.provenance(options.threads), "",
        f"polars {polars.__version__}; interleaved rounds after one that warms up, files in the page cache. Seconds are "
        "minima: until rows and ids are there (Polars makes columns of numbers, Kindred maps the ids of both sides too), "
        "and until the sorted matrix is built. Ratios are Polars over Kindred, in brackets least and largest of the pairs. "
        "The peak is the whole process; the arrays are the matrix and the ids.", "",
        report.table(("rows", "MB", "rounds", "rows and ids, s", "with the matrix, s", "Polars, s", "ratio",
                      "with the matrix", "ns a row", "peak, MiB", "peak / arrays"), table)])
    print(body)
    if options.write:
        report.write_page(options.write, "Reading against Polars", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
