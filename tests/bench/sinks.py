#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast kindred-topk --all-users writes lists, and in how much memory: a random model, each kind of file in turn.

tests/bench/sinks.py FOLDER [--shapes 200000x20000] [--factors 16] [--k 10] [--to csv,json,h5,sqlite]
    [--results FILE] [--write docs/measurements/sinks.md]
FOLDER keeps the models; the lists are removed.
"""
import argparse
import os
import subprocess
import time
from pathlib import Path

import report


def run(command):
    """Seconds and peak bytes of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", default="200000x20000")
    parser.add_argument("--factors", type=int, default=16)
    parser.add_argument("--history", type=int, default=20, help="items a user")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--to", default="csv,json,h5,sqlite")
    parser.add_argument("--results", help="JSON lines that are kept between calls")
    parser.add_argument("--write", help="a page of docs/measurements")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    results = report.Results(options.results)
    for shape in filter(None, options.shapes.split(",")):
        users, items = map(int, shape.split("x"))
        model = options.folder / f"{shape}x{options.factors}.h5"
        if not model.exists():
            subprocess.run([report.BIN / "kindred_random_model", model, str(users), str(items), str(options.factors),
                            str(options.history)], check=True)
        for kind in options.to.split(","):
            lists = options.folder / f"lists.{kind}"
            lists.unlink(missing_ok=True)
            target = f"sqlite:{lists}" if kind == "sqlite" else lists
            seconds, peak = run([report.BIN / "kindred-topk", model, "--all-users", "-k", str(options.k), "--to", target])
            results.add({"shape": shape, "factors": options.factors, "k": options.k, "to": kind, "seconds": seconds,
                         "peak": peak, "bytes": lists.stat().st_size})
            lists.unlink()
    rows = []
    for e in results.entries:
        users, items = map(int, e["shape"].split("x"))
        entries = users * e["k"]
        rows.append((f"{users:,} x {items:,}", e["factors"], e["k"], e["to"], f"{e['seconds']:.1f}",
                     f"{entries / e['seconds'] / 1e6:.2f}", f"{e['bytes'] / 2**20:,.0f}", f"{e['peak'] / 2**20:,.0f}"))
    body = "\n".join([
        report.provenance(os.cpu_count()), "",
        "The whole program: the model is read, lists are made (what a user has had left out) and written.", "",
        report.table(("users x items", "factors", "k", "to", "seconds", "million rows/s", "file, MiB", "peak, MiB"), rows)])
    print(body)
    if options.write:
        report.write_page(options.write, "Everybody's lists into files", body)


if __name__ == "__main__":
    main()
