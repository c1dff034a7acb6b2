# SPDX-License-Identifier: Apache-2.0
"""Files as other programs write them, through kindred-train: HDF5 by h5py, gzip, standard input, lists with kinds, rows
set aside; and what cannot be read: one line, exit code 2, nothing written."""
import csv
import gzip

import h5py
import numpy as np
import pytest

MODEL = '[model]\nfactors = 2\n[train]\nepochs = 1\n[evaluate]\nmetrics = ["ndcg@5"]\n'


@pytest.fixture
def counts(run, tmp_path):
    """users, items and interactions of a config's [data]."""

    def call(data, files=None, stdin=None):
        for name, content in (files or {}).items():
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        (tmp_path / "c.toml").write_text(f'[data]\n{data}\n[split]\nprotocol = "none"\n{MODEL}')
        done = run("kindred-train", "c.toml", "--dry-run", cwd=tmp_path, stdin=stdin)
        found = dict(line.split() for line in done.stdout.split("\n\n")[0].splitlines() if len(line.split()) == 2)
        return int(found["users"]), int(found["items"]), int(found["train"])

    return call


@pytest.fixture
def error(run, tmp_path):
    """What kindred-train says about a config's [data], without the program's name and the folder."""

    def call(data, files=None, model=MODEL):
        for name, content in (files or {}).items():
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        (tmp_path / "c.toml").write_text(f'output = "out"\n[data]\n{data}\n{model}')
        done = run("kindred-train", "c.toml", "--quiet", cwd=tmp_path, code=2, errors="replace")
        assert done.stdout == "" and not (tmp_path / "out").exists()
        lines = [line for line in done.stderr.splitlines() if " error " in line or line.startswith("kindred-train:")]
        assert len(lines) == 1, done.stderr
        return lines[0].replace(f"{tmp_path}/", "")

    return call


@pytest.mark.parametrize("users", [
    np.array([3, 1, 3, 2], np.uint8), np.array([3, 1, 3, 2], ">i4"), np.array([3, 1, 3, 2], np.uint64),
    np.array([b"c", b"a", b"c", b"b"]), np.array(["ç", "a", "ç", "b"], dtype=h5py.string_dtype()),
])
@pytest.mark.parametrize("layout", [{}, {"chunks": (3,), "compression": "gzip", "shuffle": True}])
def test_hdf5_of_h5py(counts, tmp_path, users, layout):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.create_dataset("user", data=users, **layout)
        file.create_dataset("item", data=np.array([7, 7, 8, 9], np.int16), fletcher32=True)
        file.create_dataset("value", data=np.array([1, 2, 3, 4.5], np.float64), **layout)
        file.create_dataset("time", data=np.array([1.6e9, 1.6e9 + 0.5, 1.6e9, 1.6e9], np.float64), **layout)
        file.create_dataset("event", data=np.array(["a", "b", "a", "a"], dtype=h5py.string_dtype()), **layout)
        file.create_dataset("likes", data=np.array([1, 0, 2, 0], np.int8), **layout)
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/user")
    data = 'interactions = "d.h5"\nformat = "hdf5"\nevents = { a = 1.0, b = 2.0 }'
    assert counts(data) == (3, 3, 4)
    assert counts(data + "\nmin_value = 4") == (2, 2, 2)  # 2 weighs 4
    assert counts('interactions = "d*.h5"\nformat = "hdf5"\nutility = "value + 10*likes"\nmin_value = 11') == (1, 2, 2)


def test_hdf5_columns_that_cannot_be_read(error, tmp_path):
    def write(**columns):
        with h5py.File(tmp_path / "d.h5", "w") as file:
            for name, values in columns.items():
                file[name] = values
        return error('interactions = "d.h5"\nformat = "hdf5"')

    ids = np.arange(3)
    assert "d.h5: /user: expected ids that are whole numbers or text" in write(user=ids + 0.5, item=ids)
    assert "d.h5: /user has 3 rows, /item has 2; expected columns of one length" in write(user=ids, item=ids[:2])
    assert "d.h5: user: expected a dataset of one dimension" in write(user=np.zeros((3, 2), int), item=ids)
    assert "d.h5: row 2: value: expected a number, found nan" in write(user=ids, item=ids, value=[1, np.nan, 2])
    assert "expected numbers below 2^63" in write(user=np.array([2**63], np.uint64), item=ids[:1])


def test_gzip_standard_input_and_lists(counts):
    text = "user,item\n" + "".join(f"{u},{i}\n" for u in range(40) for i in range(u % 7 + 1))
    rows = text.count("\n") - 1
    assert counts('interactions = "r.csv.gz"', {"r.csv.gz": gzip.compress(text.encode())}) == (40, 7, rows)
    assert counts('interactions = "-"', stdin=text) == (40, 7, rows)
    files = {"view.tsv": "visitorid\titemid\tevent\n1\t5\t1\n2\t6\t1\n", "buy.csv": "what;who\n5;1\n9;3\n"}
    entries = """interactions = [{ file = "view.tsv", event = "view", columns = { user = "visitorid" } },
        { file = "buy.csv", event = "buy", columns = { user = "who", item = "what" } }]
        events = { view = 1.0, buy = 5.0 }"""
    assert counts(entries, files) == (3, 3, 3)
    assert counts(entries + "\nmin_value = 5", files) == (2, 2, 2)


def test_retailrocket_of_three_files(counts, need):
    folder = need("retailrocket")
    entries = ", ".join(f'{{ file = "{folder}/{kind}_ecommerce.dat", event = "{kind}" }}'
                        for kind in ("view", "add_to_cart", "purchase"))
    users, items, _ = counts(f"interactions = [{entries}]\ncolumns = {{ user = \"visitorid\", item = \"itemid\" }}\n"
                             "events = { view = 1.0, add_to_cart = 3.0, purchase = 10.0 }")
    assert (users, items) == (3_431, 8_885)


def test_bad_rows_are_listed(run, tmp_path):
    rows = [f"{u},{i},{1 + (u + i) % 5}" for u in range(30) for i in range(12)]
    rows[3] = "0,3,\"five\"\"\""
    rows[100] = "only one field"
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    (tmp_path / "c.toml").write_text(
        f'output = "out"\n[data]\ninteractions = "r.csv"\nbad_rows = "quarantine"\n{MODEL}')
    run("kindred-train", "c.toml", "--device", "cpu", cwd=tmp_path)
    with open(tmp_path / "out/rejected.csv", newline="") as file:
        found = list(csv.reader(file))
    path = str(tmp_path / "r.csv")
    assert found == [["file", "line", "reason", "text"],
                     [path, "5", "rating: expected a number, found 'five\"'", '0,3,"five"""'],
                     [path, "102", "expected 3 fields, found 1", "only one field"]]


def test_what_cannot_be_read(error, tmp_path):
    (tmp_path / "folder").mkdir()
    good = "user,item,rating\n" + "".join(f"{u},{i},4\n" for u in range(9) for i in range(9))
    packed = gzip.compress((good * 50).encode())
    one = 'interactions = "r.csv"'
    assert "folder: cannot read: is a folder; expected a file" in error('interactions = "folder"')
    assert "r.csv.gz: the gzip file ends too early" in error('interactions = "r.csv.gz"', {"r.csv.gz": packed[:-9]})
    assert "r.csv:5: rating: -2; implicit feedback needs values of 0 and more" in error(
        one, {"r.csv": good.replace("0,3,4\n", "0,3,-2\n", 1)})
    assert "the event column holds numbers" in error(one, {"r.csv": good.replace("rating", "event")})
    assert 'r.csv:83: item: expected an id in UTF-8' in error(one, {"r.csv": good.encode() + b"1,\xe9,4\n"})
    assert 'set data.encoding = "latin-1"' in error(one, {"r.csv": good.encode() + b"1,\xe9,4\n"})
    assert "c.toml:3: data.interactions: unknown key 'evnt' in an entry's table; did you mean 'event'?" in error(
        'interactions = [{ file = "r.csv", evnt = "view" }]')
    assert "no-*.csv: no file matches" in error('interactions = "no-*.csv"')
