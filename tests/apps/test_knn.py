# SPDX-License-Identifier: Apache-2.0
"""item-knn and user-knn as a user meets them: known results on real data, peers, wrong calls."""
import csv
import io
import json

import h5py
import numpy as np
import pytest
import scipy.sparse
from sklearn.neighbors import NearestNeighbors


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def ratings(need):
    """users x films of ml-latest-small, zeros for what is missing; ids of both."""
    rows = np.genfromtxt(need("ml-latest-small") / "ratings.csv", delimiter=",", skip_header=1)
    users, u = np.unique(rows[:, 0].astype(int), return_inverse=True)
    films, i = np.unique(rows[:, 1].astype(int), return_inverse=True)
    return users, films, scipy.sparse.csr_matrix((rows[:, 2], (u, i)))


@pytest.fixture(scope="module")
def train(run, need, tmp_path_factory):
    folder = tmp_path_factory.mktemp("knn")

    def fit(name, *changes):
        config = folder / "all.toml"
        config.write_text(f'[data]\ninteractions = "{need("ml-latest-small")}/ratings.csv"\n[data.items]\n'
                          f'file = "{need("ml-latest-small")}/movies.csv"\ntag_separator = "|"\n'
                          'columns = { id = "movieId", title = "title", tags = "genres" }\n'
                          '[split]\nprotocol = "none"\n')
        run("kindred-train", config, "--out", folder / name, "--quiet", "--force", *(f"--set=model.{c}" for c in changes))
        return folder / name

    return fit


def similar(run, model, option, who, k):
    return table(run("kindred-topk", model, option, who, "-k", k, "--format", "csv").stdout)


def test_the_workshops_neighbors(run, train):
    """Toy Story's neighbors in a notebook over raw ratings, zeros for what is missing (data/README.md)."""
    found = similar(run, train("cosine", "type=item-knn"), "--items", 1, 9)
    assert [row["item"] for row in found] == ["3114", "480", "780", "260", "356", "364", "1210", "648", "1265"]
    found = similar(run, train("euclidean", "type=item-knn", "similarity=euclidean"), "--items", 1, 9)
    titles = ["Toy Story 2", "Mission: Impossible", "Independence Day", "Bug's Life, A", "Nutty Professor, The",
              "Willy Wonka", "Babe", "Groundhog Day", "Mask, The"]
    assert all(row["title"].startswith(title) for row, title in zip(found, titles)), found
    assert all(float(row["score"]) < 0 for row in found)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan", "jaccard"])
def test_users_are_scikit_learns(run, train, ratings, metric):
    """Nearest users of 50 users; the metrics that both have. Pearson is scikit-learn's correlation."""
    users, _, matrix = ratings
    model = train(metric + "-users", "type=user-knn", f"similarity={metric}", "neighbors=10",
                  "min_overlap=0")  # users without a film in common have distances, too
    dense = matrix.toarray()
    if metric == "jaccard":
        dense = dense > 0
    search = NearestNeighbors(n_neighbors=11, metric=metric, algorithm="brute").fit(dense)
    asked = np.arange(0, 600, 12)
    distances, rows = search.kneighbors(dense[asked])
    sign = {"cosine": lambda d: 1 - d, "jaccard": lambda d: 1 - d}.get(metric, lambda d: -d)
    found = similar(run, model, "--similar-users", ",".join(str(users[q]) for q in asked), 10)
    for q, distance, near in zip(asked, distances, rows):
        ours = [row for row in found if row["query"] == str(users[q])]
        theirs = [(sign(d), users[r]) for d, r in zip(distance, near) if r != q][:10]
        assert len(ours) == 10
        np.testing.assert_allclose([float(row["score"]) for row in ours], [s for s, _ in theirs], rtol=2e-6)
        gaps = np.abs(np.diff([s for s, _ in theirs], prepend=np.inf, append=-np.inf))
        for r, (row, (_, user)) in enumerate(zip(ours, theirs)):  # equal ones in any order, the last may be cut
            if min(gaps[r], gaps[r + 1]) > 1e-5 and r < 9:
                assert row["item"] == str(user)


def test_pearson_is_scikit_learns_correlation(run, train, ratings):
    users, _, matrix = ratings
    model = train("pearson-users", "type=user-knn", "similarity=pearson", "neighbors=5")
    dense = matrix.toarray()
    distances, _ = NearestNeighbors(n_neighbors=6, metric="correlation", algorithm="brute").fit(dense).kneighbors(dense[:50])
    found = similar(run, model, "--similar-users", ",".join(map(str, users[:50])), 5)
    np.testing.assert_allclose([float(row["score"]) for row in found], 1 - distances[:, 1:].ravel(), rtol=1e-5)


def test_reasons_and_histories(run, train):
    model = train("reasons", "type=item-knn", "prediction=weighted-average", "center=baseline", "neighbors=200")
    rows = table(run("kindred-topk", model, "--users", 1, "-k", 5, "--explain", "--format", "csv").stdout)
    with h5py.File(model / "model.h5") as file:
        start, stop = file["history/indptr"][:2]
        had = set(file["items/ids"][()][file["history/indices"][start:stop]])
    assert all(set(map(int, row["because"].split(";"))) <= had for row in rows if row["because"])
    users = train("users", "type=user-knn", "neighbors=20")
    rows = table(run("kindred-topk", users, "--users", 1, "-k", 5, "--explain", "--format", "csv").stdout)
    near = {row["item"] for row in similar(run, users, "--similar-users", 1, 20)}
    assert all(row["because"] and set(row["because"].split(";")) <= near for row in rows)
    done = run("kindred-topk", users, "--history", "1:4,3:4,6:4,47:5,50:5", "-k", 5, "--format", "csv")
    assert len(table(done.stdout)) == 5


def test_vectors_of_another_model(run, train):
    als = train("als", "factors=8")
    over = train("over", "type=item-knn", f'over="{als}/model.h5"', "neighbors=10")
    ours = similar(run, over, "--items", 1, 10)
    theirs = table(run("kindred-topk", als, "--items", 1, "-k", 10, "--metric", "cosine", "--format", "csv").stdout)
    assert [row["item"] for row in ours] == [row["item"] for row in theirs]
    assert len(table(run("kindred-topk", over, "--users", 1, "--format", "csv").stdout)) == 10


def refused(run, tmp_path, *changes):
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(9)
                                                                   for i in range(9) if (u + i) % 3))
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "r.csv"\n')
    return run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run", *(f"--set={c}" for c in changes),
               code=2).stderr


@pytest.mark.parametrize("changes, message", [
    (["model.neighbors=0"], "model.neighbors: expected a whole number, 1 to 1024, or \"all\", found 0"),
    (["model.neighbors=few"], "or \"all\", found"),
    (["model.similarity=cosinus"], "did you mean 'cosine'?"),
    (["model.shrinkage=-1"], "expected a number, 0.0 or more"),
    (["model.similarity=euclidean", "model.shrinkage=3"], "model.shrinkage: is of similarities, not of distances"),
    (["model.similarity=manhattan", "model.missing=row-mean"], "manhattan goes with \"zero\" and \"ignore\""),
    (["model.weighting=rp3beta", "model.similarity=cosine"], "rp3beta is a \"dot\" product"),
    (["model.rp3_beta=1"], "needs model.weighting = \"rp3beta\""),
    (["model.center=user-mean"], "set model.prediction = \"weighted-average\""),
    (["model.center=baseline", "model.prediction=weighted-average", "data.normalize=z-score"], "remove one of the two"),
    (["export.history=none"], "answers from what people have had"),
    (["evaluate.metrics=[\"rmse\"]"], "model.prediction = \"weighted-average\""),
    (["model.factors=8"], "needs model.type = \"als\""),
    (["model.over=nowhere.h5"], "nowhere.h5"),
    (["model.over=nowhere.h5", "model.similarity=jaccard"], "are compared by \"cosine\", \"dot\" or \"euclidean\""),
    (["model.weighting=tf-idf", "data.normalize=subtract-user-mean"], "a weighting needs values of 0 and more"),
])
def test_wrong_keys(run, tmp_path, changes, message):
    assert message in refused(run, tmp_path, "model.type=item-knn", *changes)


def test_users_have_no_vectors_to_compare(run, tmp_path):
    assert "needs model.type = \"item-knn\"" in refused(run, tmp_path, "model.type=user-knn", "model.over=x.h5")


@pytest.mark.parametrize("kind", ["item-knn", "user-knn"])
def test_odd_data(run, tmp_path, kind):
    """Constant rows, one interaction, overlaps that nobody reaches, unknown histories: stated results."""
    for name, rows, change in [("constant", "1,1,3\n1,2,3\n2,1,3\n2,2,3\n3,1,3\n", "model.similarity=pearson"),
                               ("one", "1,1,3\n", "model.neighbors=all"),
                               ("lonely", "1,1,3\n2,2,4\n3,3,5\n", "model.min_overlap=100")]:
        (tmp_path / "r.csv").write_text("user,item,rating\n" + rows)
        (tmp_path / "c.toml").write_text('[data]\ninteractions = "r.csv"\n[split]\nprotocol = "none"\n')
        for prediction in ("sum", "weighted-average"):
            model = tmp_path / f"{name}-{prediction}"
            done = run("kindred-train", tmp_path / "c.toml", "--out", model, f"--set=model.type={kind}", f"--set={change}",
                       f"--set=model.prediction={prediction}")
            assert f"without_neighbors={3 if name != 'one' and (kind == 'user-knn' or name == 'lonely') else 2 if name == 'constant' else 1}" in done.stderr
            for question in (["--users", "1", "--include-seen"], ["--history", "77:5"], ["--history", "1:3", "--include-seen"]):
                listed = table(run("kindred-topk", model, *question, "--format", "csv").stdout)
                assert all(np.isfinite(float(row["score"])) for row in listed)
                items = len(set(row.split(",")[1] for row in rows.split()))
                assert len(listed) == items or question[0] == "--history" and listed  # items that neighbors lead to


def test_other_questions(run, tmp_path):
    refused(run, tmp_path, "model.type=item-knn", "model.neighbors=0")  # writes the files
    run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run", "--set=model.type=item-knn", "--quiet")
    for arguments, message in [(["--similar-users", "1"], "no neighbors for it"),
                               (["--items", "1", "--metric", "cosine"], "leave --metric out"),
                               (["--items", "77"], "is no item's id")]:
        assert message in run("kindred-topk", tmp_path / "run", *arguments, code=2).stderr
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["model"] == "item-knn" and metrics["epochs"] == []


def test_resume_and_refit(run, tmp_path):
    refused(run, tmp_path, "model.type=item-knn", "model.neighbors=0")
    call = ["kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run", "--set=model.type=user-knn", "--set=train.refit=all",
            "--set=model.prediction=weighted-average", "--set=model.center=user-mean", "--resume"]
    run(*call)
    assert "nothing to do" in run(*call).stderr


def test_held_out_users_are_folded_in(run, tmp_path):
    """Strong generalisation: their given histories are what the model answers from."""
    rng = np.random.default_rng(1)
    rows = [(u, i) for u in range(120) for i in range(30) if rng.random() < (0.6 if u % 2 == i % 2 else 0.05)]
    (tmp_path / "r.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u, i in rows))
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "r.csv"\n[split]\nprotocol = "users"\ntest = 0.3\n'
                                     '[evaluate]\nmetrics = ["precision@3"]\n')
    for kind in ("item-knn", "user-knn"):
        run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / kind, "--quiet", f"--set=model.type={kind}")
        found = json.loads((tmp_path / kind / "metrics.json").read_text())["test"]["precision@3"]["mean"]
        assert found > 0.15, kind  # 2 of some 22 unseen items are to be found: 0.09 at random, 0.25 by the group alone
