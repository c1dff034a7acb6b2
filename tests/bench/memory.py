#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How well kindred-train tells its memory before it takes it: synthetic runs of several shapes on the CPU, what the log
line after reading says against the measured peak of the process; and what --dry-run says of reading before it reads.

tests/bench/memory.py FOLDER [--shapes 138493x26744x20000000,2000000x100000x20000000] [--factors 128] [--write PAGE]
FOLDER keeps the synthetic data. The evaluation is kept small; memory does not depend on it.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import report

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
VARIANTS = {"plain": {}, "early stopping, refit": {"train.early_stopping": '{ metric = "recall@20" }',
                                                   "train.refit": '"all"'}}


def run(folder, factors, settings):
    config = folder / "run.toml"
    config.write_text(f'[data]\ninteractions = "ratings.csv"\n[model]\nfactors = {factors}\n[train]\nepochs = 2\n'
                      '[evaluate]\nvalidation_users = 256\ntest_users = 256\n[export]\nhistory = "none"\n')
    command = [report.BIN / "kindred-train", config, "--out", folder / "run", "--force", "--device", "cpu"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    log = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
    number, unit = re.search(r' memory host="([\d.]+) (\w+)"', log).groups()
    told = float(number) * UNITS[unit] / (1 << 20)
    measured = json.loads((folder / "run/metrics.json").read_text())["peak_memory_mib"]["host"]
    return told, measured


def dry_run(folder):
    """What --dry-run tells of reading, in MiB, against the peak of the program that then reads and splits nothing off."""
    config = folder / "reading.toml"
    config.write_text('[data]\ninteractions = "ratings.csv"\n[split]\nprotocol = "none"\n')
    process = subprocess.Popen([report.BIN / "kindred-train", config, "--dry-run"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, text
    number, unit = re.search(r"reading takes ([\d.]+) (\w+) of", text).groups()
    return float(number) * UNITS[unit] / (1 << 20), usage.ru_maxrss // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", default="138493x26744x20000000,2000000x100000x20000000")
    parser.add_argument("--factors", default="128")
    parser.add_argument("--write", help="a page of docs/measurements")
    options = parser.parse_args()
    rows = []
    for shape in options.shapes.split(","):
        users, items, interactions = map(int, shape.split("x"))
        folder = options.folder / shape
        if not (folder / "ratings.csv").exists():
            subprocess.run([report.BIN / "kindred-data", "synth", folder, "--users", str(users), "--items", str(items),
                            "--interactions", str(interactions)], check=True)
        told, measured = dry_run(folder)
        rows.append((f"{users:,} x {items:,}", f"{interactions:,}", "", "reading (--dry-run)", f"{told:,.0f}",
                     f"{measured:,}", f"{told / measured - 1:+.1%}"))
        for factors in filter(None, options.factors.split(",")):
            for name, settings in VARIANTS.items():
                told, measured = run(folder, int(factors), settings)
                rows.append((f"{users:,} x {items:,}", f"{interactions:,}", factors, name, f"{told:,.0f}",
                             f"{measured:,}", f"{told / measured - 1:+.1%}"))
                print(rows[-1], file=sys.stderr, flush=True)
    body = "\n".join([
        report.provenance(os.cpu_count()), "",
        "ALS on the CPU, 2 epochs; the host's peak as the log line after reading tells it, and as it was in the end.",
        "",
        report.table(("users x items", "interactions", "factors", "run", "told, MiB", "measured, MiB", "error"), rows)])
    print(body)
    if options.write:
        report.write_page(options.write, "Memory told and taken", body)


if __name__ == "__main__":
    main()
