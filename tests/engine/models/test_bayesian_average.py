# SPDX-License-Identifier: Apache-2.0
"""bayesian-average on real ratings: against NumPy from the file alone, and against figures that others worked out."""
import collections
import csv

import h5py
import numpy as np
import pytest

BEST = {318: 4.392, 858: 4.236, 2959: 4.227, 260: 4.193, 50: 4.191}
WORST = {1556: 2.190, 3593: 2.224, 1882: 2.267, 1499: 2.297, 2643: 2.307}


def test_movielens(run, need, tmp_path):
    data = need("ml-latest-small")
    (tmp_path / "c.toml").write_text(f"""
[data]
interactions = "{data}/ratings.csv"
[split]
protocol = "none"
[model]
type = "bayesian-average"
""")
    run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run")
    with h5py.File(tmp_path / "run/model.h5") as file:
        assert file.attrs["scorer"] in ("constant", b"constant")
        scores = dict(zip(file["items/ids"][:].tolist(), file["items/bias"][:].tolist()))

    ratings = collections.defaultdict(list)
    with open(data / "ratings.csv") as file:
        for row in csv.DictReader(file):
            ratings[int(row["movieId"])].append(float(row["rating"]))
    usual, mean = np.mean([len(r) for r in ratings.values()]), np.mean([np.mean(r) for r in ratings.values()])
    assert (round(usual, 2), round(mean, 2)) == (10.37, 3.26)
    assert scores.keys() == ratings.keys()
    for film, own in ratings.items():
        assert scores[film] == pytest.approx((usual * mean + sum(own)) / (usual + len(own)), rel=1e-6)

    assert sorted(scores, key=lambda film: -scores[film])[:5] == list(BEST)
    assert sorted(scores, key=scores.get)[:5] == list(WORST)
    for film, score in (BEST | WORST).items():
        assert round(scores[film], 3) == pytest.approx(score)


def test_is_evaluated_as_a_predictor(run, need, tmp_path):
    data = need("ml-latest-small")
    (tmp_path / "c.toml").write_text(
        f'[data]\ninteractions = "{data}/ratings.csv"\n[model]\ntype = "bayesian-average"\n'
    )
    done = run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run")
    table = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:]}
    assert list(table) == ["rmse", "mae", "ndcg@10"]
    assert 0.9 < float(table["rmse"]) < 1.1  # the mean of all ratings gives 1.04
    top = run("kindred-topk", tmp_path / "run", "--users", "1", "-k", "3", "--format", "csv").stdout.splitlines()
    assert len(top) == 4
