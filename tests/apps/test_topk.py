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
TAGS = {"Even": 2, "Third": 3, "Fifth, and more": 5}  # which items have one: its multiples
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


def tags_of(item):
    return [tag for tag, of in TAGS.items() if item % of == 0]


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
        rows.writerow(["item", "title", "tags"])
        rows.writerows([item, TITLES.get(item, f"Film number {item}"), "|".join(tags_of(item))] for item in range(ITEMS))
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


def scores_of(file, user):
    return file["items/factors"] @ file["users/factors"][user]


def rows_where(file, keep):
    return [row for row, item in enumerate(file["items"]) if keep(item)]


def seen_by(file, user):
    return [item for part in ("history", "held_out/validation", "held_out/test") for item in file[part][user][0]]


@pytest.mark.parametrize("options, keep", [
    (("--only-tags", "Third"), lambda item: item % 3 == 0),
    (("--only-tags", "Third,Even"), lambda item: item % 3 == 0 or item % 2 == 0),
    (("--only-tags", "Fifth, and more"), lambda item: item % 5 == 0),
    (("--only-tags", "Third", "--only-tags", "Fifth, and more"), lambda item: item % 3 == 0 or item % 5 == 0),
    (("--without-tags", "Even"), lambda item: item % 2),
    (("--only-tags", "Third", "--without-tags", "Even"), lambda item: item % 3 == 0 and item % 2),
])
def test_tags(topk, file, options, keep):
    out = rows_where(file, lambda item: not keep(item))
    rows = table(topk("--users", "u08", "-k", 45, "--format", "csv", *options).stdout)
    expect(rows, file, scores_of(file, 8), seen_by(file, 8) + out, 45)
    similar = table(topk("--items", "7", "-k", 45, "--format", "csv", *options).stdout)
    y = file["items/factors"]
    expect(similar, file, y @ y[7], [7, *out], 45)
    folded = table(topk("--history", "3,10", "-k", 45, "--format", "csv", *options).stdout)
    items = [file["items"].index(item) for item in (3, 10)]
    expect(folded, file, y @ fold_in(file, items, np.array([1, 1]))[2], items + out, 45)


@pytest.mark.parametrize("header", ["", "user,item\n"])
def test_exclude(topk, file, tmp_path, header):
    (tmp_path / "no.csv").write_text(header + "11\nu03,12\n13\nu04,14\n99999\n")
    done = topk("--users", "u03,u04", "-k", 45, "--format", "csv", "--exclude", tmp_path / "no.csv")
    rows = table(done.stdout)
    for user, name, own in ((3, "u03", 12), (4, "u04", 14)):
        out = [file["items"].index(item) for item in (11, 13, own)]
        expect([row for row in rows if row["user"] == name], file, scores_of(file, user), seen_by(file, user) + out, 45)
    assert "items=1" in done.stderr


def test_candidates(topk, file, tmp_path):
    draw = np.random.default_rng(4)
    asked = {user: sorted(draw.choice(ITEMS, 12, replace=False)) for user in (9, 2, 30)}
    lines = [f"{item},u{user:02}" for user, items in asked.items() for item in items]
    (tmp_path / "pairs.csv").write_text("\n".join(["item,user", *draw.permutation(lines), "99999,u02"]) + "\n")
    done = topk("--candidates", tmp_path / "pairs.csv", "-k", 5, "--format", "csv")
    assert "pairs=1" in done.stderr
    rows = table(done.stdout)
    for user, items in asked.items():  # what was seen is ranked, too: the caller has chosen
        others = rows_where(file, lambda item: item not in items)
        expect([row for row in rows if row["user"] == f"u{user:02}"], file, scores_of(file, user), others, 5)
    only = table(topk("--candidates", tmp_path / "pairs.csv", "-k", 45, "--format", "csv", "--only-tags", "Even").stdout)
    assert {(row["user"], int(row["item"])) for row in only} == {
        (f"u{user:02}", item) for user, items in asked.items() for item in items if item % 2 == 0}


def test_histories_from_a_file(topk, file, tmp_path):
    asked = {"ann": ([3, 10, 11], [4, 2.5, 1]), "bob, jr": ([0, 7], [5, 5])}
    with open(tmp_path / "who.csv", "w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["value", "user", "item", "other"])
        rows.writerow([9, "ann", 3, "x"])  # the last one counts
        for name, (items, values) in asked.items():
            rows.writerows([value, name, item, "x"] for item, value in zip(items, values))
        rows.writerow([1, "ann", 99999, "x"])
    done = topk("--history", f"@{tmp_path}/who.csv", "-k", 6, "--format", "csv")
    assert "items=1" in done.stderr
    rows = table(done.stdout)
    assert list(dict.fromkeys(row["user"] for row in rows)) == list(asked)
    for name, (items, values) in asked.items():
        items = [file["items"].index(item) for item in items]
        scores = file["items/factors"] @ fold_in(file, items, np.array(values))[2]
        expect([row for row in rows if row["user"] == name], file, scores, items, 6)
    (tmp_path / "one.csv").write_text("item\n3\n10\n")
    one = topk("--history", f"@{tmp_path}/one.csv", "--format", "csv").stdout
    assert one == topk("--history", "3,10", "--format", "csv").stdout


def test_unknown_users(topk, file):
    skipped = topk("--users", "nobody,u05", "-k", 2, "--format", "csv", "--unknown", "skip")
    assert {row["user"] for row in table(skipped.stdout)} == {"u05"} and "users=1" in skipped.stderr
    done = topk("--users", "nobody,u05", "-k", 45, "--format", "csv", "--unknown", "popular")
    rows = [row for row in table(done.stdout) if row["user"] == "nobody"]
    counts = np.bincount(np.concatenate([items for items, _ in file["history"]]), minlength=ITEMS)
    expect(rows, file, counts.astype(float), [], 45)
    assert topk("--users", "nobody", "--format", "csv", "--unknown", "skip").stdout.count("\n") == 1


def test_min_score(topk, file):
    scores = np.sort(np.delete(scores_of(file, 5), seen_by(file, 5)))[::-1]
    least = float((scores[3] + scores[4]) / 2)
    assert len(table(topk("--users", "u05", "--format", "csv", "--min-score", least).stdout)) == 4
    for options in (("--users", "u05"), ("--history", "3:5"), ("--items", "3")):
        done = topk(*options, "--format", "csv", "--min-score", 1e6)
        assert done.stdout.count("\n") == 1 and "--min-score is above every score" in done.stderr
    done = topk("--users", "u05", "--format", "json", "--min-score", 1e6)
    assert json.loads(done.stdout) == {"user": "u05", "items": []}
    said = dict(field.split("=") for field in done.stderr.split() if "=" in field)
    np.testing.assert_allclose([float(said["highest"]), float(said["lowest"])], scores[[0, 9]], rtol=1e-5)


WRONG = [
    (("--users", "u00,nobody"), "user 'nobody' is not in the model (60 users, from 'u00' to 'u59'); --history"),
    (("--similar-users", "nobody"), "--similar-users: user 'nobody' is not in the model"),
    (("--users", ""), "--users: names nobody and nothing"),
    (("--history", ""), "--history: names nobody and nothing"),
    (("--score", ""), "cannot read"),
    (("--users", "@missing"), "missing: cannot read"),
    (("--items", "zzzzqqq"), "--items: no title is like 'zzzzqqq'; the nearest are '"),
    (("--history", "3:five"), "--history: '3:five': expected item:value"),
    (("--history", "3:nan"), "--history: '3:nan': expected item:value"),
    (("--history", "3:-1"), "the value -1 is below 0"),
    (("--users", "u00", "--to", "lists.txt"), "lists.txt"),
    (("--users", "u00", "--only-tags", "Evem"), "--only-tags: no item has the tag 'Evem'; did you mean 'Even'?"),
    (("--users", "u00", "--without-tags", "Western"), "--without-tags: no item has the tag 'Western'"),
    (("--users", "u00", "--exclude", "missing"), "missing: cannot read"),
    (("--users", "u00", "--unknown", "guess"), "--unknown"),
    (("--users", "u00", "--min-score", "high"), "--min-score"),
    (("--similar-users", "u00", "--only-tags", "Even"), "go with questions whose answers are items"),
    (("--similar-users", "nobody", "--unknown", "popular"), "--unknown: --similar-users cannot answer"),
    (("--candidates", "missing.csv"), "missing.csv: cannot read"),
    (("--history", "@missing.csv"), "missing.csv: cannot read"),
    (("--items", "3", "--explain"), "--explain: goes with"),
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
