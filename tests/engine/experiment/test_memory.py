# SPDX-License-Identifier: Apache-2.0
"""Memory is said before it is taken: the line of the log against the peak that the run had in the end. Runs of a few
hundred MiB here; tests/bench/memory.py measures larger ones."""
import json
import random
import re

import pytest

MIB = {"MiB": 1, "GiB": 1024}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Many users with few interactions: the tables are what costs."""
    folder = tmp_path_factory.mktemp("wide")
    draw = random.Random(5)
    rows = [f"{user},{item}" for user in range(100_000) for item in draw.sample(range(2000), 3)]
    (folder / "r.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    (folder / "c.toml").write_text(
        'output = "run"\ndevice = "cpu"\n[data]\ninteractions = "r.csv"\n[model]\nfactors = 128\n'
        "[train]\nepochs = 2\n[evaluate]\nvalidation_users = 64\ntest_users = 64\n"
    )
    return folder


@pytest.mark.parametrize("settings", [[], ['train.early_stopping={metric="recall@20"}', 'train.refit="all"']])
def test_told_and_taken(run, wide, settings):
    more = [part for pair in settings for part in ("--set", pair)]
    done = run("kindred-train", "c.toml", "--force", *more, cwd=wide)
    number, unit = re.search(r' memory host="([\d.]+) (\w+)" host_free="', done.stderr).groups()
    told = float(number) * MIB[unit]
    taken = json.loads((wide / "run/metrics.json").read_text())["peak_memory_mib"]["host"]
    assert taken > 150
    assert told == pytest.approx(taken, rel=0.2)  # code and small blocks, some 30 MiB, weigh more here than in large runs
    assert " evaluation validations=" in done.stderr


def test_dry_run_tells_and_takes_nothing(run, wide):
    done = run("kindred-train", "c.toml", "--dry-run", "--out", "not-there", cwd=wide)
    rows = re.search(r"^estimate ([\d.]+) k interactions, reading takes .* \(from the file's size\)$", done.stdout, re.M)
    assert float(rows[1]) == pytest.approx(300, rel=0.05)
    assert re.search(r"^memory_host [\d.]+ \w+ of [\d.]+ GiB free$", done.stdout, re.M)
    assert re.search(r"^evaluation 3 validations of .* GFLOP, test of ", done.stdout, re.M)
    assert not (wide / "not-there").exists()
