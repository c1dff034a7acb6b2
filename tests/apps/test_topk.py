# SPDX-License-Identifier: Apache-2.0
"""kindred-topk as a user meets it: every question and format on a small model, answers recomputed in NumPy from the file,
and the line and exit code of every wrong call."""
import csv
import io
import json
import shutil
import sqlite3
import subprocess

import h5py
import numpy as np
import pytest

USERS, ITEMS = 60, 45
TITLES = {3: "Jumanji (1995)", 4: "Matrix, The (1999)", 5: 'The "Quoted", Film', 6: "Amélie (2001)"}
CONFIG = """
name = "small"
[data]
interactions = "ratings.csv"
[data.items]
file = "items.csv"
[split]
test = 0.1
validation = 0.1
[model]
type = "als"
factors = 8
alpha = 0.5
confidence = "log"
unobserved_weight = 0.2
regularization = 0.05
[train]
epochs = 4
"""


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("topk")
    random = np.random.default_rng(1)
    with open(folder / "ratings.csv", "w") as file:
        file.write("user,item,rating\n")
        for user in range(USERS):
            for item in range(ITEMS):
                if random.random() < (0.6 if user % 3 == item % 3 else 0.1):
                    file.write(f"u{user:02},{item},{random.integers(1, 6)}\n")
    with open(folder / "items.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item", "title"])
        rows.writerows([item, TITLES.get(item, f"Film number {item}")] for item in range(ITEMS))
    (folder / "run.toml").write_text(CONFIG)
    run("kindred-train", folder / "run.toml", "--out", folder / "run", "--device", "cpu")
    return folder / "run"


@pytest.fixture(scope="module")
def file(model):
    with h5py.File(model / "model.h5") as opened:
        found = {"users": [text.decode() for text in opened["users/ids"][:]], "items": opened["items/ids"][:].tolist()}
        for side in ("users", "items"):
            found[f"{side}/factors"] = opened[f"{side}/factors"][:].astype(np.float64)
        for name in ("history", "held_out/validation", "held_out/test"):
            parts = [opened[name][part][:] for part in ("indptr", "indices", "data")]
            found[name] = [(parts[1][a:b], parts[2][a:b]) for a, b in zip(parts[0], parts[0][1:])]
        found["fold_in"] = dict(opened["fold_in"].attrs)
    return found


@pytest.fixture
def topk(run, model):
    def call(*arguments, **options):
        return run("kindred-topk", model, "--device", "cpu", *arguments, **options)

    return call


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def best(scores, excluded, k):
    """Rows of the k best, ties to the lower row."""
    order = [row for row in np.argsort(-scores, kind="stable") if row not in set(excluded)]
    return order[:k]


def expect(rows, file, scores, excluded, k):
    wanted = best(scores, excluded, k)
    assert [int(row["item"]) for row in rows] == [file["items"][row] for row in wanted]
    assert [int(row["rank"]) for row in rows] == list(range(1, len(wanted) + 1))
    np.testing.assert_allclose([float(row["score"]) for row in rows], scores[wanted], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options, left_out", [
    ((), ("history", "held_out/validation", "held_out/test")),
    (("--include-held-out",), ("history",)),
    (("--include-seen",), ("held_out/validation", "held_out/test")),
    (("--include-seen", "--include-held-out"), ()),
])
def test_users(topk, file, options, left_out):
    rows = table(topk("--users", "u05,u00,u59", "-k", 7, "--format", "csv", *options).stdout)
    assert list(dict.fromkeys(row["user"] for row in rows)) == ["u05", "u00", "u59"]
    for name in ("u05", "u00", "u59"):
        user = file["users"].index(name)
        excluded = [item for part in left_out for item in file[part][user][0]]
        scores = file["items/factors"] @ file["users/factors"][user]
        expect([row for row in rows if row["user"] == name], file, scores, excluded, 7)


def test_titles_stand_beside_items(topk):
    rows = table(topk("--users", "u00", "-k", 1000, "--format", "csv", "--include-seen", "--include-held-out").stdout)
    assert len(rows) == ITEMS  # k above the catalogue gives all
    for row in rows:
        assert row["title"] == TITLES.get(int(row["item"]), f"Film number {row['item']}")


def test_all_users_everywhere(topk, tmp_path):
    text = topk("--all-users", "-k", 3, "--format", "csv").stdout
    rows = table(text)
    assert len(rows) == 3 * USERS

    objects = [json.loads(line) for line in topk("--all-users", "-k", 3, "--format", "json").stdout.splitlines()]
    assert [(o["user"], i["item"], i["rank"]) for o in objects for i in o["items"]] == [
        (row["user"], row["item"], int(row["rank"])) for row in rows]

    topk("--all-users", "-k", 3, "--to", tmp_path / "lists.csv")
    assert (tmp_path / "lists.csv").read_text() == text

    topk("--all-users", "-k", 3, "--to", tmp_path / "lists.h5")
    with h5py.File(tmp_path / "lists.h5") as lists:
        items = lists["items/ids"][:]
        assert items[lists["recommendations/rows"][:]].ravel().tolist() == [int(row["item"]) for row in rows]

    for _ in range(2):  # replaced whole
        topk("--all-users", "-k", 3, "--to", f"sqlite:{tmp_path}/lists.db")
    with sqlite3.connect(tmp_path / "lists.db") as database:
        found = database.execute("select user_id, rank, item_id, title from recommendations order by user_id, rank")
        assert found.fetchall() == [(row["user"], int(row["rank"]), row["item"], row["title"]) for row in rows]

    again = topk("--all-users", "-k", 3, "--format", "csv", "--threads", 1).stdout
    assert again == text


def test_ids_from_a_file(topk, tmp_path):
    (tmp_path / "ids").write_text("u01\r\n\nu02\n")
    rows = table(topk("--users", f"u00,@{tmp_path}/ids", "-k", 1, "--format", "csv").stdout)
    assert [row["user"] for row in rows] == ["u00", "u01", "u02"]


@pytest.mark.parametrize("metric", ["dot", "cosine", "euclidean"])
@pytest.mark.parametrize("side", ["items", "users"])
def test_similar(topk, file, metric, side):
    ids = [str(name) for name in file[side]]
    option = "--items" if side == "items" else "--similar-users"
    rows = table(topk(option, f"{ids[7]},{ids[2]}", "-k", 5, "--metric", metric, "--format", "csv").stdout)
    y = file[f"{side}/factors"]
    for query in (7, 2):
        scores = {"dot": y @ y[query], "euclidean": -np.linalg.norm(y - y[query], axis=1),
                  "cosine": y @ y[query] / np.linalg.norm(y, axis=1) / np.linalg.norm(y[query])}[metric]
        wanted = best(scores, [query], 5)
        own = [row for row in rows if row["query"] == ids[query]]
        assert [row["item"] for row in own] == [ids[row] for row in wanted]
        np.testing.assert_allclose([float(row["score"]) for row in own], scores[wanted], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("asked, item, said", [
    ("juminji", 3, "Jumanji (1995)"),
    ("the matirx", 4, "Matrix, The (1999)"),
    ("amelie", 6, "Amélie (2001)"),
    ("7", 7, None),  # an exact id wins, and nothing is said
    ("Matrix, The (1999)", 4, None),  # a whole title may hold commas
])
def test_titles_are_looked_up(topk, asked, item, said):
    done = topk("--items", asked, "-k", 2, "--format", "csv")
    assert {row["query"] for row in table(done.stdout)} == {str(item)}
    assert (said in done.stderr) if said else (done.stderr == "")


def fold_in(file, items, values):
    """docs/model-file.md: one row solve."""
    recipe, y = file["fold_in"], file["items/factors"]
    c = 1 + recipe["alpha"] * np.log1p(values)
    ridge = recipe["regularization"] * (len(items) + recipe["unobserved_weight"] * len(y)) ** recipe["exponent"]
    a = recipe["unobserved_weight"] * y.T @ y + (y[items].T * c) @ y[items] + ridge * np.eye(y.shape[1])
    return a, c, np.linalg.solve(a, y[items].T @ c)


def test_history(topk, file):
    rows = table(topk("--history", "3:5,10:2.5,3:4,11", "-k", 6, "--format", "csv").stdout)
    items = [file["items"].index(item) for item in (3, 10, 11)]
    scores = file["items/factors"] @ fold_in(file, items, np.array([4, 2.5, 1]))[2]
    expect(rows, file, scores, items, 6)


def test_explain(topk, file):
    rows = table(topk("--users", "u04", "-k", 5, "--explain", "--format", "csv").stdout)
    user = file["users"].index("u04")
    items, values = file["history"][user]
    y = file["items/factors"]
    a, c, _ = fold_in(file, items, values)
    for row in rows:
        parts = c * (y[items] @ np.linalg.solve(a, y[file["items"].index(int(row["item"]))]))
        most = [items[e] for e in np.argsort(-parts)[:3] if parts[e] > 0]
        assert row["because"] == ";".join(str(file["items"][item]) for item in most)


def test_score(topk, file, tmp_path):
    (tmp_path / "pairs.csv").write_text("item,extra,user\n7,x,u03\n7,x,nobody\n999,x,u03\n0,x,u59\n")
    done = topk("--score", tmp_path / "pairs.csv")
    rows = table(done.stdout)
    assert [(row["user"], row["item"]) for row in rows] == [("u03", "7"), ("nobody", "7"), ("u03", "999"), ("u59", "0")]
    x, y = file["users/factors"], file["items/factors"]
    expected = [x[3] @ y[file["items"].index(7)], 0, 0, x[59] @ y[file["items"].index(0)]]
    np.testing.assert_allclose([float(row["score"]) for row in rows], expected, rtol=1e-5, atol=1e-6)
    assert "users=1 items=1" in done.stderr
    topk("--score", tmp_path / "pairs.csv", "--to", tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text() == done.stdout


WRONG = [
    (("--users", "u00,nobody"), "user 'nobody' is not in the model (60 users, from 'u00' to 'u59'); --history"),
    (("--similar-users", "nobody"), "--similar-users: user 'nobody' is not in the model"),
    (("--users", ""), "--users: names nobody and nothing"),
    (("--history", ""), "--history: names nobody and nothing"),
    (("--score", ""), "cannot read"),
    (("--users", "@missing"), "missing: cannot read"),
    (("--items", "zzzzqqq"), "--items: 'zzzzqqq' is no item's id and like no title"),
    (("--history", "3:five"), "--history: '3:five': expected item:value"),
    (("--history", "3:nan"), "--history: '3:nan': expected item:value"),
    (("--history", "3:-1"), "the value -1 is below 0"),
    (("--items", "3", "--explain"), "--explain: goes with --users, --all-users and --history"),
    (("--users", "u00", "--to", "lists.txt"), "lists.txt"),
    (("--score", "missing.csv"), "missing.csv: cannot read"),
    (("--users", "u00", "-k", "0"), "-k"),
    (("--users", "u00", "-k", "1025"), "-k"),
    (("--users", "u00", "--metric", "manhattan"), "--metric"),
    (("--users", "u00", "--all-users"), "xactly 1 option"),
    ((), "xactly 1 option"),
]


@pytest.mark.parametrize("arguments, line", WRONG)
def test_wrong_calls(topk, tmp_path, arguments, line):
    done = topk(*arguments, code=2, cwd=tmp_path)
    assert line in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_closed_pipe_ends_quietly(bin_dir, model):
    command = f"{bin_dir}/kindred-topk {model} --all-users -k 40 --format csv --device cpu | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_links_no_training_code(bin_dir):
    if not shutil.which("nm"):
        pytest.skip("nm is not installed")
    symbols = {name: subprocess.run(["nm", "-C", bin_dir / name], capture_output=True, text=True).stdout
               for name in ("kindred-topk", "kindred-train")}
    for name in ("kindred::fit_als", "kindred::evaluate("):
        assert name in symbols["kindred-train"]
        assert name not in symbols["kindred-topk"]
