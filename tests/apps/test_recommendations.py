# SPDX-License-Identifier: Apache-2.0
"""export.recommendations: a run's lists are those that kindred-topk --all-users writes from its model."""
import sqlite3

import h5py
import numpy as np
import pytest

CONFIG = """
[data]
interactions = "ratings.csv"
[data.items]
file = "items.csv"
[model]
factors = 4
[train]
epochs = 3
[export]
recommendations = {{ k = 7, to = "{}" }}
"""


@pytest.fixture
def folder(run, tmp_path):
    run("kindred-data", "synth", tmp_path, "--users", 70, "--items", 50, "--interactions", 1500)
    (tmp_path / "configs").mkdir()
    return tmp_path


def train(run, folder, to):
    text = CONFIG.format(to).replace('"ratings', '"../ratings').replace('"items', '"../items')
    (folder / "configs/c.toml").write_text(text)
    run("kindred-train", "configs/c.toml", "--out", "run", "--force", "--quiet", cwd=folder)


@pytest.mark.parametrize("to, file", [("lists.csv", "lists.csv"), ("csv:lists.txt", "lists.txt")])
def test_csv(run, folder, to, file):
    train(run, folder, to)
    run("kindred-topk", "run", "--all-users", "-k", 7, "--to", "expected.csv", cwd=folder)
    # Relative to the config, as all paths in it.
    assert (folder / "configs" / file).read_text() == (folder / "expected.csv").read_text()


def test_sqlite_and_hdf5(run, folder):
    train(run, folder, "sqlite:lists.db")
    run("kindred-topk", "run", "--all-users", "-k", 7, "--to", "sqlite:expected.db", cwd=folder)
    query = "select user_id, rank, item_id, score, title from recommendations order by user_id, rank"
    found = [sqlite3.connect(folder / name).execute(query).fetchall() for name in ("configs/lists.db", "expected.db")]
    assert len(found[0]) == 70 * 7 and found[0] == found[1]
    hashes = [sqlite3.connect(folder / name).execute("select content_hash, users, rows from generations").fetchall()
              for name in ("configs/lists.db", "expected.db")]
    assert hashes[0] == hashes[1]

    train(run, folder, "h5:lists.h5")
    run("kindred-topk", "run", "--all-users", "-k", 7, "--to", "expected.h5", cwd=folder)
    with h5py.File(folder / "configs/lists.h5") as ours, h5py.File(folder / "expected.h5") as theirs:
        assert ours.attrs["content_hash"] == theirs.attrs["content_hash"]
        assert np.array_equal(ours["recommendations/rows"][()], theirs["recommendations/rows"][()])


def test_a_target_of_no_form_is_refused_before_training(run, folder):
    text = CONFIG.format("lists.parquet").replace('"ratings', '"../ratings').replace('"items', '"../items')
    (folder / "configs/c.toml").write_text(text)
    done = run("kindred-train", "configs/c.toml", "--out", "run", cwd=folder, code=2)
    assert done.stderr == ("kindred-train: configs/c.toml:11: export.recommendations.to: expected FILE.csv, FILE.json, "
                           "FILE.h5 or sqlite:FILE, found 'lists.parquet'\n")
    assert not (folder / "run").exists()
