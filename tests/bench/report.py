# SPDX-License-Identifier: Apache-2.0
"""What the benchmark scripts share: the machine's name, Markdown tables, pages of docs/measurements that say when, where
and by which command they were measured, and results that are kept between calls."""
import datetime
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("KINDRED_BIN", ROOT / "build/release/bin"))


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown CPU"


def add_round_options(parser):
    """The options of scripts whose rounds run in turns with a peer's."""
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--results", help="JSON lines that are kept between calls")
    parser.add_argument("--write", help="a page of docs/measurements")


def table(header, rows):
    lines = [f"| {' | '.join(map(str, header))} |", "|" + "---|" * len(header)]
    return "\n".join(lines + [f"| {' | '.join(map(str, row))} |" for row in rows])


def ratio(ours, theirs):
    """Of the minima, with the least and the largest of the pairs."""
    pairs = sorted(b / a for a, b in zip(ours, theirs))
    return f"**{min(theirs) / min(ours):.1f}** ({pairs[0]:.1f} to {pairs[-1]:.1f})"


def provenance(threads, command=None):
    commit = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    command = command or shlex.join([os.path.relpath(sys.argv[0], ROOT), *sys.argv[1:]])
    return (f"{datetime.date.today()}, {cpu_name()}, {threads} threads, commit {commit.stdout.strip() or 'unknown'}: "
            f"`{command}`")


def write_page(path, title, body):
    """Writes a page; sections that it has already (remarks, from the first '## ' on) stay."""
    path = Path(path)
    _, found, remarks = path.read_text().partition("\n## ") if path.exists() else ("", "", "")
    path.write_text(f"# {title}\n{body}\n" + (f"\n## {remarks}" if found else ""))


class Results:
    """Entries as JSON lines; with a file they stay for the next call."""

    def __init__(self, path=None):
        self.path = Path(path) if path else None
        lines = self.path.read_text().splitlines() if path and self.path.exists() else []
        self.entries = [json.loads(line) for line in lines]

    def add(self, entry):
        self.entries.append(entry)
        if self.path:
            with self.path.open("a") as out:
                out.write(json.dumps(entry) + "\n")

    def of(self, **key):
        return [e for e in self.entries if all(e.get(k) == v for k, v in key.items())]
