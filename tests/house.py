#!/usr/bin/env python3
"""Checks that no folder includes one that its row in the house table does not name, and that folders form no cycle.

The table is read from docs/architecture.md, so the page and the code cannot part.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def house_table() -> dict[str, set[str]]:
    """Folder -> folders it may include, from the rows '| `folder` | job | `a`, `b` |'."""
    rows = {}
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        match = re.match(r"\| `([a-z0-9/]+)` \|[^|]*\|([^|]*)\|$", line)
        if match:
            rows[match[1]] = set(re.findall(r"`([a-z0-9/]+)`", match[2]))
    return rows


def folder_of(path: str, folders) -> str | None:
    """The longest folder of the table that holds a path."""
    holding = [f for f in folders if path.startswith(f + "/")]
    return max(holding, key=len, default=None)


def main() -> int:
    table = house_table()
    if len(table) < 8:
        print("docs/architecture.md: no house table found")
        return 1
    problems = []
    for top in ("kernels", "engine", "apps"):
        for source in sorted((ROOT / top).rglob("*")):
            if source.suffix not in {".hpp", ".cpp", ".cu", ".cuh"}:
                continue
            name = str(source.relative_to(ROOT))
            here = folder_of(name, table)
            if here is None:
                problems.append(f"{name}: its folder is not in the house table")
                continue
            for number, line in enumerate(source.read_text().splitlines(), 1):
                match = re.match(r'#include "([^"]+)"', line)
                if not match or not (ROOT / match[1]).exists():
                    continue
                there = folder_of(match[1], table)
                if there != here and there not in table[here]:
                    problems.append(f"{name}:{number}: {here} may not include {there} ({match[1]})")
    done, walking = set(), []

    def visit(folder: str) -> None:
        if folder in walking:
            problems.append("folders in a circle: " + " -> ".join(walking[walking.index(folder) :] + [folder]))
            return
        if folder in done:
            return
        walking.append(folder)
        for used in sorted(table.get(folder, ())):
            visit(used)
        walking.pop()
        done.add(folder)

    for folder in sorted(table):
        visit(folder)
    print("\n".join(problems) if problems else "house: every include is one that the table allows")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
