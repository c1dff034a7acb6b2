# SPDX-License-Identifier: Apache-2.0
"""Every config of configs/ runs on its data, where that is there; small, since whether it runs is the question here."""
import json

import pytest

# What a config needs of data/, and what its data are by other counts (data/README.md).
CONFIGS = {
    "movielens-als": ("ml-latest-small", {"users": 610, "items": 9724}),
    "movielens-sgd": ("ml-latest-small", {"users": 610, "items": 9724}),
    "movielens-svd": ("ml-latest-small", {"users": 610, "items": 9724}),
    "gowalla-sgd": ("gowalla", {"users": 29858, "items": 40981, "train": 810128, "test": 217242}),
    "movielens-content": ("ml-latest-small", {"users": 610, "items": 9742}),
    "gowalla-als": ("gowalla", {"users": 29858, "items": 40981, "train": 810128, "test": 217242}),
    "movielens-item-knn": ("ml-latest-small", {"users": 610, "items": 9724}),
    "movielens-user-knn": ("ml-latest-small", {"users": 610, "items": 9724}),
    "gowalla-rp3beta": ("gowalla", {"users": 29858, "items": 40981, "train": 810128, "test": 217242}),
    "gowalla-item-knn": ("gowalla", {"users": 29858, "items": 40981, "train": 810128, "test": 217242}),
    "retailrocket-als": ("retailrocket", {"users": 3431, "items": 8885}),
    "lastfm-als": ("hetrec-lastfm-2k", {"users": 1892, "items": 17632}),
}


def test_all_are_here(root):
    names = {path.stem for path in (root / "configs").glob("*.toml")}
    assert names - {"synthetic-als"} == set(CONFIGS)  # quickstart.sh runs that one


@pytest.mark.parametrize("name", CONFIGS)
def test_config_runs(run, root, need, tmp_path, name):
    data, expected = CONFIGS[name]
    folder = need(data)
    changes = ["evaluate.test_users=2000"]
    if name.endswith(("-als", "-sgd", "-svd")):
        changes.append("model.factors=4")
    if name.endswith(("-als", "-sgd")):
        changes.append("train.epochs=2")
    run("kindred-train", root / "configs" / f"{name}.toml", "--out", tmp_path / "run", "--quiet",
        *(f"--set={change}" for change in changes))
    found = json.loads((tmp_path / "run/metrics.json").read_text())["data"]
    assert {key: found[key] for key in expected} == expected
    if name == "lastfm-als":
        done = run("kindred-topk", tmp_path / "run", "--items", "radiohead", "--only-tags", "rock", "-k", 3)
        assert done.stdout.count("\n") == 5
