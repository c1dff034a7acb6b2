# SPDX-License-Identifier: Apache-2.0
"""content on real films and on small tables, against scikit-learn and NumPy from the files alone."""
import csv
import json

import h5py
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import MultiLabelBinarizer


def rows(done):
    return list(csv.DictReader(done.stdout.splitlines()))


def trained(run, folder, text, *more):
    (folder / "c.toml").write_text(text)
    run("kindred-train", folder / "c.toml", "--out", folder / "run", "--quiet", *more)
    return folder / "run"


def table(model, name):
    with h5py.File(model / "model.h5") as file:
        return file[name][()]


@pytest.fixture(scope="module")
def films(need):
    with open(need("ml-latest-small") / "movies.csv") as file:
        return sorted(((int(r["movieId"]), r["genres"].split("|")) for r in csv.DictReader(file)))


@pytest.fixture(scope="module")
def genres(run, need, tmp_path_factory):
    data = need("ml-latest-small")
    return trained(run, tmp_path_factory.mktemp("content"), f"""
[data]
interactions = "{data}/ratings.csv"
items = {{ file = "{data}/movies.csv", columns = {{ tags = "genres" }} }}
[split]
protocol = "none"
[model]
type = "content"
""")


def test_genre_neighbors_of_a_film(run, genres, films):
    ids = np.array([film for film, _ in films])
    one_hot = MultiLabelBinarizer().fit_transform([names for _, names in films])
    similarity = cosine_similarity(one_hot[ids == 2], one_hot)[0]
    similarity[ids == 2] = -1
    order = np.argsort(-np.round(similarity, 6), kind="stable")[:50]
    found = rows(run("kindred-topk", genres, "--items", 2, "--metric", "cosine", "-k", 50, "--format", "csv"))
    assert [int(r["item"]) for r in found] == ids[order].tolist()
    assert [float(r["score"]) for r in found] == pytest.approx(similarity[order], abs=1e-6)
    assert similarity[order[0]] == pytest.approx(1)  # the same three genres


def test_films_that_nobody_has_rated_are_ranked(run, need, genres, films, tmp_path):
    with open(need("ml-latest-small") / "ratings.csv") as file:
        ratings = [(int(r["userId"]), int(r["movieId"]), float(r["rating"])) for r in csv.DictReader(file)]
    ids = [film for film, _ in films]
    unrated = sorted(set(ids) - {film for _, film, _ in ratings})
    assert len(unrated) == 18 and len(table(genres, "items/ids")) == len(films)
    (tmp_path / "pairs.csv").write_text("user,item\n" + "".join(f"1,{film}\n" for film in unrated))
    found = rows(run("kindred-topk", genres, "--candidates", tmp_path / "pairs.csv", "-k", 18, "--format", "csv"))

    unit = MultiLabelBinarizer().fit_transform([names for _, names in films]).astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    profile = sum(value * unit[ids.index(film)] for user, film, value in ratings if user == 1)
    expected = unit @ profile / np.linalg.norm(profile)
    assert {int(r["item"]) for r in found} == set(unrated)
    for row in found:
        assert float(row["score"]) == pytest.approx(expected[ids.index(int(row["item"]))], abs=1e-6)
    assert len({row["score"] for row in found}) > 5


def test_scores_and_reasons_of_a_history(run, genres, films):
    ids = [film for film, _ in films]
    unit = MultiLabelBinarizer().fit_transform([names for _, names in films]).astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    history = {1: 5.0, 2: 3.5, 47: 1.0}
    own = np.array([ids.index(film) for film in history])
    values = np.array(list(history.values()))
    profile = values @ unit[own]
    scores = unit @ profile / np.linalg.norm(profile)
    asked = ",".join(f"{film}:{value}" for film, value in history.items())
    found = rows(run("kindred-topk", genres, "--history", asked, "-k", 20, "--format", "csv", "--explain"))
    assert len(found) == 20
    for row in found:
        item = ids.index(int(row["item"]))
        assert float(row["score"]) == pytest.approx(scores[item], abs=1e-6)
        parts = values * (unit[own] @ unit[item])
        assert int(row["because"].split(";")[0]) in {list(history)[e] for e in np.flatnonzero(parts > parts.max() - 1e-6)}
    scores[own] = -1
    assert float(found[0]["score"]) == pytest.approx(scores.max(), abs=1e-6)


@pytest.fixture
def books(tmp_path):
    (tmp_path / "ratings.csv").write_text("user,item,rating\nu,1,5\nu,2,1\nv,2,4\nv,3,4\n")
    texts = ["The sea, the sea and a ship", "A ship of fools", "La mer était belle", "Fools rush in", ""]
    lines = [f'{i},"Book {i}","{t}",{"fr" if i == 3 else "en"},{1900 + i}' for i, t in enumerate(texts, 1)]
    (tmp_path / "books.csv").write_text("id,title,plot,language,year\n" + "\n".join(lines) + "\n")
    return tmp_path, texts


BOOKS = """
[data]
interactions = "ratings.csv"
items = {{ file = "books.csv", columns = {{ text = ["plot"]{} }} }}
[split]
protocol = "none"
[model]
type = "content"
{}
"""


def test_words_against_scikit_learn(run, books):
    folder, texts = books
    model = trained(run, folder, BOOKS.format("", ""))
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", strip_accents="unicode")
    expected = vectorizer.fit_transform(texts).toarray()
    found = table(model, "items/factors")
    assert found.shape == expected.shape
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-6)


def test_columns_and_vectors_are_weighed(run, books):
    folder, texts = books
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(4, 7)).astype(np.float32)
    ids = [5, 2, 3, 99]
    np.save(folder / "vectors.npy", vectors)
    (folder / "ids.txt").write_text("".join(f"{i}\n" for i in ids))
    with h5py.File(folder / "bert.h5", "w") as file:
        file["ids"], file["vectors"] = ids, vectors.astype(np.float64)
    weights = "weights = { text = 2.0, categorical = 0.5, vectors = 3.0 }\n"
    models = [trained(run, folder, BOOKS.format(', categorical = ["language"]', f'vectors = "{name}"\n{weights}'), "--force")
              for name in ("vectors.npy",)]
    found = table(models[0], "items/factors").astype(float)
    other = trained(run, folder, BOOKS.format(', categorical = ["language"]', f'vectors = "bert.h5"\n{weights}'), "--force")
    assert (table(other, "items/factors") == found.astype(np.float32)).all()

    words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", strip_accents="unicode").fit_transform(texts).toarray()
    language = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [1, 0]], float)
    given = np.zeros((5, 7))
    for row, i in enumerate(ids[:3]):
        given[i - 1] = vectors[row] / np.linalg.norm(vectors[row])
    blocks = [(language, 0.5), (words, 2.0), (given, 3.0)]
    total = sum(weight * b.any(axis=1) for b, weight in blocks)
    expected = sum(weight * b @ b.T for b, weight in blocks) / np.sqrt(np.outer(total, total))
    assert found @ found.T == pytest.approx(expected, abs=1e-6)


def test_metrics_of_the_run(run, need, root, tmp_path):
    need("ml-latest-small")
    run("kindred-train", root / "configs/movielens-content.toml", "--out", tmp_path / "run", "--quiet")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["data"]["items"] == 9742
    assert metrics["test"]["coverage@10"]["mean"] > 0.1  # popularity's is 0.005


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("v.npy", b"nothing", "v.npy: expected an .npy file"),
        ("v.h5", b"nothing", "v.h5: not an HDF5 file"),
        ("absent.npy", None, "absent.npy: cannot read"),
    ],
)
def test_wrong_vectors(run, books, name, content, message):
    folder, _ = books
    if content is not None:
        (folder / name).write_bytes(content)
    (folder / "c.toml").write_text(BOOKS.format("", f'vectors = "{name}"'))
    done = run("kindred-train", folder / "c.toml", "--out", folder / "run", code=2)
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "vectors, ids, message",
    [
        (np.zeros((2, 3), np.int64), "1\n2\n", "expected numbers of type float32 or float64"),
        (np.zeros(3), "1\n2\n3\n", "expected a table of two dimensions"),
        (np.asfortranarray(np.zeros((2, 3))), "1\n2\n", "expected rows one after the other (C order)"),
        (np.zeros((2, 3)), "1\n", "2 rows, but ids.txt beside it has 1 lines; expected an id a row"),
        (np.zeros((2, 3)), "1\n1\n", "the id '1' stands twice"),
        (np.zeros((2, 3)), "8\n9\n", "none of its 2 ids is an item's; expected ids as in the interactions"),
        (np.full((2, 3), np.nan), "1\n2\n", "row 1 (id '1'): expected finite numbers, found nan"),
    ],
)
def test_wrong_tables(run, books, vectors, ids, message):
    folder, _ = books
    np.save(folder / "v.npy", vectors)
    (folder / "ids.txt").write_text(ids)
    (folder / "c.toml").write_text(BOOKS.format("", 'vectors = "v.npy"'))
    done = run("kindred-train", folder / "c.toml", "--out", folder / "run", code=2)
    assert message in done.stderr.splitlines()[-1]


def test_nothing_to_go_by(run, tmp_path):
    (tmp_path / "r.csv").write_text("user,item\n1,1\n1,2\n2,1\n")
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "r.csv"\n[split]\nprotocol = "none"\n[model]\ntype = "content"\n')
    done = run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run", code=2)
    assert "model: content has nothing to go by; give items tags" in done.stderr
