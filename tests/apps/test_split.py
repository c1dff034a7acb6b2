# SPDX-License-Identifier: Apache-2.0
"""kindred-data split: the files hold what training uses, every interaction once, with its value and time."""
import csv
import json
import random

import pytest

PROTOCOLS = {
    "random": "",
    "by-time": "",
    "leave-one-out": "",
    "users": "",
    "k-fold": "folds = 3",
    "none": "",
}


@pytest.fixture
def folder(tmp_path):
    draw = random.Random(7)
    rows = [[f"u{u}", f"i,{i}", draw.choice(["1", "2.5", "5"]), str(draw.randint(10**9, 2 * 10**9))]
            for u in range(40) for i in draw.sample(range(30), draw.randint(4, 20))]
    draw.shuffle(rows)
    with open(tmp_path / "r.csv", "w", newline="") as file:
        csv.writer(file).writerows([["user", "item", "value", "time"], *rows])
    return tmp_path


def read(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_interaction_is_in_one_part(run, folder, protocol):
    (folder / "c.toml").write_text(
        f'[data]\ninteractions = "r.csv"\n[split]\nprotocol = "{protocol}"\n{PROTOCOLS[protocol]}\n')
    done = run("kindred-data", "split", "c.toml", "parts", cwd=folder)
    rounds = [folder / "parts" / f"fold-{f}" for f in (1, 2, 3)] if protocol == "k-fold" else [folder / "parts"]
    everything = sorted(read(folder / "r.csv")[1:])
    tested = []
    for place in rounds:
        parts = {path.stem: read(path) for path in place.iterdir()}
        assert all(rows[0] == ["user", "item", "value", "time"] for rows in parts.values())
        assert sorted(row for rows in parts.values() for row in rows[1:]) == everything
        tested += parts.get("test", [[]])[1:]
        for path in place.iterdir():
            assert f"{path.relative_to(folder)}: {len(parts[path.stem]) - 1} interactions" in done.stdout
    if protocol == "k-fold":
        assert sorted(tested) == everything
    elif protocol == "users":
        assert {row[0] for row in parts["test"][1:]}.isdisjoint(row[0] for row in parts["train"][1:])
        assert {row[0] for row in parts["test"][1:]} == {row[0] for row in parts["test_given"][1:]}
    elif protocol == "by-time":
        for user in {row[0] for row in everything}:
            held_out = [int(row[3]) for row in parts["test"][1:] if row[0] == user]
            assert max(int(row[3]) for row in parts["train"][1:] if row[0] == user) <= min(held_out)


def test_training_on_the_files_is_the_same_run(run, folder):
    (folder / "c.toml").write_text('[data]\ninteractions = "r.csv"\n[model]\nfactors = 4\n')
    run("kindred-data", "split", "c.toml", "parts", cwd=folder)
    (folder / "f.toml").write_text(
        '[split]\nprotocol = "files"\nfiles = { train = "parts/train.csv", validation = "parts/validation.csv", '
        'test = "parts/test.csv" }\n[model]\nfactors = 4\n')
    found = []
    for name in ("c", "f"):
        run("kindred-train", f"{name}.toml", "--out", name, "--quiet", cwd=folder)
        metrics = json.loads((folder / name / "metrics.json").read_text())
        found.append({key: metrics[key] for key in ("data", "test", "validation")})
    assert found[0] == found[1]
