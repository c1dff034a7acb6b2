# SPDX-License-Identifier: Apache-2.0
"""docs/examples, run as their first lines say and held against the programs."""
import csv
import io
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import pytest

MODELS = {
    "implicit": {"model.type": "als", "model.factors": 8, "model.alpha": 0.5, "model.confidence": "log",
                 "model.unobserved_weight": 0.2, "model.regularization": 0.02},
    "hu-koren": {"model.type": "als", "model.factors": 8, "model.objective": "hu-koren", "model.alpha": 2.0,
                 "model.regularization": 0.1},
    "explicit": {"model.type": "als", "model.factors": 4, "model.feedback": "explicit"},
    "popularity": {"model.type": "popularity"},
    "bayesian-average": {"model.type": "bayesian-average"},
    "implicit-divide-user-mean": {"model.type": "als", "model.factors": 4, "model.alpha": 2.0,
                                  "data.normalize": "divide-user-mean"},
    "content": {"model.type": "content", "model.tags": "tf-idf", "model.decade": "true",
                "data.normalize": "subtract-user-mean"},
    "bayesian-average-z-score": {"model.type": "bayesian-average", "data.normalize": "z-score"},
}
KNN = {  # every similarity, weighting and way to center; neighbors of users in fold-in too
    "sum": {},
    "l1-item-mean": {"neighbors": 8, "normalize_weights": "l1", "center": "item-mean"},
    "tf-idf": {"weighting": "tf-idf", "neighbors": 12, "neighbors_used": 3},
    "bm25": {"weighting": "bm25", "bm25_k1": 2.0, "neighbors": "all"},
    "rp3beta": {"weighting": "rp3beta", "rp3_alpha": 0.8, "rp3_beta": 0.5, "neighbors": 10},
    "basic": {"prediction": "weighted-average", "similarity": "msd", "missing": "ignore", "min_overlap": 2},
    "means": {"prediction": "weighted-average", "similarity": "pearson", "missing": "ignore", "center": "user-mean",
              "neighbors": "all", "neighbors_used": 5, "shrinkage": 3.0, "shrink_from": 1, "min_overlap": 2},
    "baseline": {"prediction": "weighted-average", "similarity": "cosine", "missing": "row-mean", "center": "baseline"},
    "item-means": {"prediction": "weighted-average", "similarity": "pearson", "missing": "column-mean",
                   "center": "item-mean", "neighbors": 20},
    "euclidean": {"similarity": "euclidean", "neighbors": 7},
    "manhattan": {"similarity": "manhattan", "missing": "ignore", "min_overlap": 3, "normalize_weights": "l1"},
    "jaccard": {"similarity": "jaccard", "neighbors": 15},
}
for name, keys in KNN.items():
    for kind in ("item-knn", "user-knn"):
        if (kind, name) != ("user-knn", "l1-item-mean"):
            MODELS[f"{kind}-{name}"] = {"model.type": kind} | {f"model.{key}": value for key, value in keys.items()}
MODELS["item-knn-z-score"] = {"model.type": "item-knn", "data.normalize": "z-score", "model.neighbors": 20,
                              "model.prediction": "weighted-average"}
MODELS["user-knn-normalized"] = {"model.type": "user-knn", "data.normalize": "baseline", "model.neighbors": 20,
                                 "model.prediction": "weighted-average"}
for method, biases in [("divide-user-mean", "true"), ("subtract-user-mean", "true"), ("subtract-item-mean", "false"),
                       ("z-score", "true"), ("baseline", "true")]:
    MODELS["explicit-" + method] = {"model.type": "als", "model.factors": 4, "model.feedback": "explicit",
                                    "model.biases": biases, "data.normalize": method}
USERS = "1,17,59"
# Both sides compute in their own order and precision: the programs in fp32, the examples in fp64.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    run("kindred-data", "synth", folder, "--users", 60, "--items", 45, "--interactions", 900)
    (folder / "c.toml").write_text('[data]\ninteractions = "ratings.csv"\n[data.items]\nfile = "items.csv"\n')
    return folder


@pytest.fixture(scope="module", params=MODELS)
def model(request, run, folder):
    """A trained model of each kind."""
    changes = [f"--set={key}={value}" for key, value in MODELS[request.param].items()]
    run("kindred-train", folder / "c.toml", "--out", folder / request.param, "--device", "cpu", "--quiet", *changes)
    return folder / request.param


@pytest.fixture
def example(root):
    def call(name, *arguments, python=sys.executable):
        command = [str(python), str(root / "docs/examples" / name), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{name} {arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return call


@pytest.fixture
def peer(root):
    """The Python that has a package of tests/bench/peers/requirements.txt."""

    def find(package):
        python = root / "build/peers/bin/python"
        if not python.exists() or subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode:
            pytest.skip(f"{package} is not installed; ./setup.sh --bench installs it")
        return python

    return find


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def scores(rows):
    return np.array([float(row["score"]) for row in rows])


def expect_same_lists(ours, theirs):
    """The same items in the same order; neighbours whose scores differ by less than rounding may change places."""
    assert [(row["user"], row["rank"]) for row in ours] == [(row["user"], row["rank"]) for row in theirs]
    np.testing.assert_allclose(scores(ours), scores(theirs), **CLOSE)
    for _, group in itertools.groupby(range(len(ours)), lambda r: ours[r]["user"]):
        group = list(group)
        values = scores(ours)[group]
        for r, value in zip(group, values):
            if np.sum(np.abs(values - value) < 2e-5 * (1 + abs(value))) == 1:
                assert ours[r]["item"] == theirs[r]["item"]


def test_rank(run, example, model):
    ours = table(example("rank.py", model, USERS, 12))
    theirs = table(run("kindred-topk", model, "--users", USERS, "-k", 12, "--format", "csv").stdout)
    assert len(ours) == 36 or "knn" in model.name and ours  # a list of neighbors ends where none leads on
    expect_same_lists(ours, theirs)


def test_score(run, example, folder, model):
    rows = (folder / "ratings.csv").read_text().splitlines()
    (folder / "pairs.csv").write_text("\n".join(rows[:40] + ["nobody,7,1,0", "7,nothing,1,0", "nobody,nothing,1,0"]) + "\n")
    ours = table(example("score.py", model, folder / "pairs.csv"))
    theirs = table(run("kindred-topk", model, "--score", folder / "pairs.csv").stdout)
    assert [(row["user"], row["item"]) for row in ours] == [(row["user"], row["item"]) for row in theirs]
    assert len(ours) == 42
    np.testing.assert_allclose(scores(ours), scores(theirs), **CLOSE)


@pytest.mark.parametrize("history", ["3:5,10:2.5,41:1", "44", "1:4,2:4,3:4,4:4,5:4,6:4,7:4,8:4", "nothing:3"])
def test_fold_in(run, example, model, history):
    ours = table(example("fold_in.py", model, history, 12))
    theirs = table(run("kindred-topk", model, "--history", history, "-k", 12, "--format", "csv").stdout)
    assert len(ours) == 12 or "knn" in model.name and ours
    expect_same_lists(ours, theirs)


@pytest.mark.parametrize("kind", ["implicit", "explicit"])
def test_faiss_gives_the_same_lists(run, example, peer, folder, kind):
    python = peer("faiss")
    changes = [f"--set={key}={value}" for key, value in MODELS[kind].items()]
    run("kindred-train", folder / "c.toml", "--out", folder / "faiss", "--force", "--quiet", *changes)
    for side in ("items", "users"):
        run("kindred-data", "export", folder / "faiss", folder / side, f"--{side}", "--fold-bias")
    ours = table(example("faiss_index.py", folder / "items", folder / "users", USERS, 10, python=python))
    theirs = table(run("kindred-topk", folder / "faiss", "--users", USERS, "-k", 10, "--format", "csv", "--include-seen",
                       "--include-held-out").stdout)
    assert [(row["user"], row["item"]) for row in ours] == [(row["user"], row["item"]) for row in theirs]


def test_export_is_what_numpy_reads(run, folder, model):
    with h5py.File(model / "model.h5") as file:
        if "items/factors" not in file:
            done = run("kindred-data", "export", model, folder / "none", "--items", code=2)
            assert "has no vectors to export" in done.stderr
            return
        for side in ("items", "users"):
            run("kindred-data", "export", model, folder / "npy", f"--{side}")
            assert np.array_equal(np.load(folder / "npy/vectors.npy"), file[f"{side}/factors"][()])
            assert (folder / "npy/ids.txt").read_text().split() == [str(i) for i in file[f"{side}/ids"][()]]
            about = json.loads((folder / "npy/meta.json").read_text())
            assert (about["side"], about["rows"]) == (side, len(file[f"{side}/ids"]))
            run("kindred-data", "export", model, folder / "csv", f"--{side}", "--format", "csv")
            rows = table((folder / "csv/vectors.csv").read_text())
            vectors = np.array([json.loads(row["vector"]) for row in rows], np.float32)
            assert np.array_equal(vectors, file[f"{side}/factors"][()])


def test_postgresql_copies_the_csv(run, folder):
    """docs/examples/pgvector.md without the extension: COPY into text, products in SQL. In single-user mode: no server."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    programs, user = found[-1].parent, "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    run("kindred-train", folder / "c.toml", "--out", folder / "sql", "--quiet", "--set=model.feedback=explicit")
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        for side in ("items", "users"):
            run("kindred-data", "export", folder / "sql", f"{place}/{side}", f"--{side}", "--format", "csv", "--fold-bias")
        subprocess.run([programs / "initdb", "-D", f"{place}/db", "-E", "UTF8", "--no-sync"], check=True, user=user,
                       capture_output=True, cwd="/")
        statements = []
        for side in ("items", "users"):
            statements.append(f"create table {side} (id text primary key, vector text)")
            statements.append(f"copy {side} from '{place}/{side}/vectors.csv' with (format csv, header)")
        statements.append(
            "copy (select i.id from users u, items i, unnest(translate(u.vector, '[]', '{}')::float8[],"
            " translate(i.vector, '[]', '{}')::float8[]) as d (x, y) where u.id = '17' group by i.id"
            f" order by sum(x * y) desc limit 10) to '{place}/db/best.txt'")
        done = subprocess.run([programs / "postgres", "--single", "-j", "-D", f"{place}/db", "postgres"], user=user, cwd="/",
                              input=";\n\n".join(statements) + ";\n\n", capture_output=True, text=True)
        best = pathlib.Path(f"{place}/db/best.txt")
        assert best.exists(), done.stderr
        rows = table(run("kindred-topk", folder / "sql", "--users", "17", "-k", 10, "--format", "csv", "--include-seen",
                         "--include-held-out").stdout)
        assert best.read_text().split() == [row["item"] for row in rows]


def test_parquet_to_hdf5_and_back(run, example, peer, folder, tmp_path):
    python = peer("pyarrow")
    write = """
import sys, pyarrow.csv, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.csv.read_csv(sys.argv[1]), sys.argv[2], row_group_size=100)"""
    read = """
import sys, pyarrow.csv, pyarrow.parquet
pyarrow.csv.write_csv(pyarrow.parquet.read_table(sys.argv[1]), sys.argv[2],
                      pyarrow.csv.WriteOptions(quoting_style="none"))"""
    (tmp_path / "s.csv").write_text("who,what,how,kind\n" + "".join(f"ü{u},{u * 7 % 13},{u / 8},buy\n" for u in range(500)))
    for name, columns in [(folder / "ratings.csv", "user=user item=item value=rating time=time"),
                          (tmp_path / "s.csv", "user=who item=what value=how event=kind")]:
        subprocess.run([python, "-c", write, name, tmp_path / "x.parquet"], check=True)
        example("parquet_to_hdf5.py", tmp_path / "x.parquet", tmp_path / "x.h5", *columns.split(), python=python)
        example("hdf5_to_parquet.py", tmp_path / "x.h5", tmp_path / "y.parquet", python=python)
        subprocess.run([python, "-c", read, tmp_path / "y.parquet", tmp_path / "y.csv"], check=True)
        ours = list(csv.reader((tmp_path / "y.csv").read_text().splitlines()))
        theirs = list(csv.reader(name.read_text().splitlines()))
        assert ours[0] == [pair.split("=")[0] for pair in columns.split()]
        assert [[row[0], row[1], float(row[2]), row[3]] for row in ours[1:]] == [
            [row[0], row[1], float(row[2]), row[3]] for row in theirs[1:]]
        # Kindred reads it, and what it writes itself.
        run("kindred-data", "convert", tmp_path / "x.h5", tmp_path / "k.h5")
        example("hdf5_to_parquet.py", tmp_path / "k.h5", tmp_path / "z.parquet", python=python)
        subprocess.run([python, "-c", read, tmp_path / "z.parquet", tmp_path / "z.csv"], check=True)
        assert (tmp_path / "z.csv").read_text() == (tmp_path / "y.csv").read_text()


def test_lists_as_parquet(run, example, peer, folder, tmp_path):
    python = peer("pyarrow")
    run("kindred-train", folder / "c.toml", "--out", tmp_path / "run", "--quiet", "--set=model.factors=4")
    run("kindred-topk", tmp_path / "run", "--all-users", "-k", 40, "--to", tmp_path / "l.h5")
    example("hdf5_to_parquet.py", tmp_path / "l.h5", tmp_path / "l.parquet", python=python)
    read = """
import sys, pyarrow.csv, pyarrow.parquet
pyarrow.csv.write_csv(pyarrow.parquet.read_table(sys.argv[1]), sys.argv[2])"""
    subprocess.run([python, "-c", read, tmp_path / "l.parquet", tmp_path / "l.csv"], check=True)
    ours = table((tmp_path / "l.csv").read_text())
    theirs = table(run("kindred-topk", tmp_path / "run", "--all-users", "-k", 40, "--format", "csv").stdout)
    assert len(ours) < 60 * 40  # lists end early
    assert [[row[key] for key in ("user", "rank", "item")] for row in ours] == [
        [row[key] for key in ("user", "rank", "item")] for row in theirs]
    np.testing.assert_array_equal(scores(ours).astype(np.float32), scores(theirs).astype(np.float32))
