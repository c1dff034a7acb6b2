# SPDX-License-Identifier: Apache-2.0
"""kindred-data convert: every way round, over random files; h5py and csv read what it writes."""
import csv
import gzip
import random

import h5py
import numpy as np
import pytest

LETTERS = ["a", "Z", "0", " ", "'", '"', ",", "é", "東", "🎬", ";", "\n"]


def random_rows(seed, columns, integers, letters=LETTERS):
    """Rows whose texts survive: values that are float32, times in whole seconds."""
    draw = random.Random(seed)

    def identifier():
        if integers:
            return str(draw.choice([draw.randint(-(2**63), 2**63 - 1), draw.randint(0, 9)]))
        return "x" + "".join(draw.choices(letters, k=draw.randint(0, 9))) + "y"

    ids = [[identifier() for _ in range(draw.randint(1, 30))] for _ in range(2)]
    cell = {
        "value": lambda: str(np.float32(draw.choice([draw.uniform(-5, 5), draw.randint(0, 9), 1e-30, 3.5]))).removesuffix(".0"),
        "time": lambda: str(draw.randint(10**9, 2 * 10**9)),
        "event": lambda: draw.choice(["view", "buy, now", "ü"]),
    }
    return [[draw.choice(ids[0]), draw.choice(ids[1]), *(cell[name]() for name in columns)] for _ in range(draw.randint(1, 200))]


def write(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["user", "item", *columns], *rows])


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def same_cell(a, b):
    """Equal texts, or the same float32 written in another way."""
    return a == b or np.float32(a) == np.float32(b)


COLUMNS = [[], ["value"], ["value", "time"], ["time", "event"], ["value", "time", "event"]]


@pytest.mark.parametrize("seed", range(10))
def test_csv_to_hdf5_and_back(run, tmp_path, seed):
    columns, integers = COLUMNS[seed % 5], seed % 2 == 0
    rows = random_rows(seed, columns, integers)
    write(tmp_path / "in.csv", columns, rows)
    run("kindred-data", "convert", "in.csv", "x.h5", cwd=tmp_path)
    with h5py.File(tmp_path / "x.h5") as file:
        assert sorted(file) == sorted(["user", "item", *columns])
        assert file["user"].dtype == np.int64 if integers else file["user"].dtype.kind == "S"
        users = file["user"][()]
        assert [str(u) if integers else u.decode() for u in users] == [row[0] for row in rows]
    run("kindred-data", "convert", "x.h5", "back.csv", cwd=tmp_path)
    back = read(tmp_path / "back.csv")
    assert back[0] == ["user", "item", *columns]
    assert len(back) == len(rows) + 1
    for ours, theirs in zip(back[1:], rows):
        assert all(map(same_cell, ours, theirs))
    # From there on nothing changes any more, not a byte.
    run("kindred-data", "convert", "back.csv", "y.h5", cwd=tmp_path)
    run("kindred-data", "convert", "y.h5", "again.csv", cwd=tmp_path)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "back.csv").read_bytes()


@pytest.mark.parametrize("seed", range(6))
def test_adjacency_and_back(run, tmp_path, seed):
    rows = random_rows(seed, [], seed % 2 == 0, ["a", "é", "0", "'"])
    write(tmp_path / "in.csv", [], rows)
    run("kindred-data", "convert", "in.csv", "lists.txt", cwd=tmp_path)
    lines = (tmp_path / "lists.txt").read_text(encoding="utf-8").splitlines()
    users = list(dict.fromkeys(user for user, _ in rows))
    assert [line.split() for line in lines] == [[user] + [i for u, i in rows if u == user] for user in users]
    run("kindred-data", "convert", "lists.txt", "x.h5", "--from", "adjacency", cwd=tmp_path)
    run("kindred-data", "convert", "x.h5", "back.csv", cwd=tmp_path)
    assert sorted(read(tmp_path / "back.csv")[1:]) == sorted(rows)


def test_csv_keeps_texts_as_they_stand(run, tmp_path):
    write(tmp_path / "in.csv", ["value", "time"], [["007", "a,b", "3.50", "2024-01-02T03:04:05Z"], ["u", 'q"q', "", ""]])
    assert run("kindred-data", "convert", "in.csv", "-", cwd=tmp_path).stdout == (tmp_path / "in.csv").read_text()


def test_reads_every_form_of_text(run, tmp_path):
    text = "Käufer;Artikel;Menge\nK1;A1;3\nK2;A1;1\n"
    expected = "user,item,value\nK1,A1,3\nK2,A1,1\n"
    names = ["--user", "Käufer", "--item", "Artikel", "--value", "Menge"]
    (tmp_path / "semicolons.csv").write_text(text)
    (tmp_path / "latin.csv").write_bytes(text.encode("latin-1"))
    with gzip.open(tmp_path / "packed.csv.gz", "wt") as file:
        file.write(text)
    (tmp_path / "windows.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (tmp_path / "bare.tsv").write_text("K1\tA1\t3\nK2\tA1\t1\n")
    for name, options in {"semicolons.csv": names, "latin.csv": [*names, "--latin-1"], "packed.csv.gz": names,
                          "windows.csv": names, "bare.tsv": ["--user", "1", "--item", "2", "--value", "3"]}.items():
        assert run("kindred-data", "convert", name, "-", *options, cwd=tmp_path).stdout == expected, name
    assert run("kindred-data", "convert", "-", "-", *names, cwd=tmp_path, stdin=text).stdout == expected


def test_times_become_seconds_where_they_are_whole(run, tmp_path):
    for name, texts, expected in [
        ("unix", ["1600000000", "5"], [1600000000, 5]),
        ("milliseconds", ["1600000000123", "1600000000000"], [1600000000123, 1600000000000]),
        ("iso", ["2020-09-13T12:26:40Z", "1970-01-01"], [1600000000, 0]),
        ("fractions", ["2020-09-13T12:26:40.5Z", "1970-01-02"], [1600000000500000, 86400000000]),
        ("decimal", ["1600000000.25", "1600000000.0"], [1600000000250000, 1600000000000000]),
    ]:
        write(tmp_path / "in.csv", ["time"], [["u", "i", text] for text in texts])
        run("kindred-data", "convert", "in.csv", "x.h5", cwd=tmp_path)
        with h5py.File(tmp_path / "x.h5") as file:
            assert file["time"][()].tolist() == expected, name


def test_training_sees_the_same_in_every_format(run, tmp_path):
    run("kindred-data", "synth", tmp_path, "--users", 80, "--items", 60, "--interactions", 2000)
    run("kindred-data", "convert", "ratings.csv", "ratings.h5", cwd=tmp_path)
    hashes = set()
    for name in ("ratings.csv", "ratings.h5"):
        form = "hdf5" if name.endswith("h5") else "csv"
        (tmp_path / "c.toml").write_text(f'[data]\ninteractions = "{name}"\nformat = "{form}"\n[model]\nfactors = 4\n')
        run("kindred-train", "c.toml", "--out", f"run-{form}", "--quiet", cwd=tmp_path)
        with h5py.File(tmp_path / f"run-{form}/model.h5") as file:
            hashes.add(file["items/factors"][()].tobytes())
    assert len(hashes) == 1


@pytest.mark.parametrize("arguments, content, message", [
    (["in.csv", "x.dat"], "user,item\na,b\n", "OUT: 'x.dat' tells no format: end it in .csv, .h5 or .txt (adjacency), or say --to"),
    (["in.csv", "in.csv"], "user,item\na,b\n", "in.csv: is the file to be read; name another one to write"),
    (["in.csv", "x.h5"], "user,item,value\na,b,3\na,c,five\n", "in.csv:3: value: expected a number, found 'five'"),
    (["in.csv", "x.h5"], "user,item\na,b\n\na\n", "in.csv:4: expected 2 fields, found 1"),
    (["in.csv", "x.txt"], "user,item\na b,c\n", "in.csv:2: user: the id 'a b' has a blank in it, which adjacency cannot hold"),
    (["in.csv", "x.h5"], "user,item,time\na,b,1\na,c,soon\n",
     "in.csv:3: time: expected a time written as in the first row, found 'soon'"),
    (["-", "x.h5"], "user,item\na,b\n",
     "hdf5: standard input is read once and hdf5 needs two passes, and it is no stream; name a file"),
])
def test_says_what_is_wrong_and_writes_nothing(run, tmp_path, arguments, content, message):
    (tmp_path / "in.csv").write_text(content)
    done = run("kindred-data", "convert", *arguments, cwd=tmp_path, code=2, stdin=content)
    assert done.stderr.splitlines()[-1] == f"kindred-data: {message}"
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
    assert (tmp_path / "in.csv").read_text() == content
