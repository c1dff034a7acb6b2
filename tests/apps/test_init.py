# SPDX-License-Identifier: Apache-2.0
"""kindred-data init as a new user meets it: whatever the file looks like, the config it writes trains and answers."""
import random

import pytest


def rows(delimiter, header="", count=1500, user="{}", item="{}", rest=lambda draw: []):
    draw = random.Random(5)
    lines = [header] if header else []
    for _ in range(count):
        cells = [user.format(draw.randint(1, 60)), item.format(draw.randint(1, 50)), *map(str, rest(draw))]
        lines.append(delimiter.join(cells))
    return "\n".join(lines) + "\n"


def stars(draw):
    return [draw.choice([1, 2.5, 3, 4, 5]), draw.randint(1_600_000_000, 1_700_000_000)]


FILES = {
    "ratings.csv": rows(",", "userId,movieId,rating,timestamp", rest=stars),
    "no_header.tsv": rows("\t", rest=lambda d: [d.randint(1, 5), d.randint(1_600_000_000, 1_700_000_000)]),
    "kunden.csv": rows(";", "Kunde;Artikel;Bewertung", user="K{}", item="A{}", rest=lambda d: [d.choice([1.5, 2, 5])]),
    "movielens.dat": rows("::", rest=lambda d: [d.randint(1, 5), d.randint(1_600_000_000, 1_700_000_000)]),
    "plays.csv": rows(",", "listener,artist,plays", rest=lambda d: [int(d.paretovariate(1))]),
    "hours.csv": rows(",", "steam user,game,hours", item='"Game, {}"', rest=lambda d: [f"{d.expovariate(0.1):.1f}"]),
    "votes.csv": rows(",", "user,item,value", rest=lambda d: [d.choice([-1, 1])]),
    "pairs.csv": rows(",", user="anna{}", item="brot{}", count=400),
    "lists.txt": "".join(f"{u} " + " ".join(map(str, random.Random(u).sample(range(50), 12))) + "\n" for u in range(60)),
    "windows.csv": "\ufeff" + rows(",", "User_ID,Item_ID").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_config_runs_as_it_is(run, tmp_path, name):
    (tmp_path / name).write_text(FILES[name], newline="")
    done = run("kindred-data", "init", name, cwd=tmp_path)
    config = name.split(".")[0]
    assert f"wrote {config}.toml" in done.stdout
    assert done.stderr == ""
    # What it says comes next is run as it stands.
    commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("  kindred-")]
    assert len(commands) == 2
    for command in commands:
        program, *arguments = command.split()
        assert "--quiet" not in arguments
        assert run(program, *arguments, cwd=tmp_path).stdout or "--to" in arguments


def test_says_what_it_found(run, tmp_path):
    (tmp_path / "ratings.csv").write_text(FILES["ratings.csv"])
    titles = "".join(f'{i},"Film, number {i}",Drama|War\n' for i in range(1, 51))
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n" + titles)
    (tmp_path / "notes.csv").write_text("movieId,note\n1,good\n1,bad\n")
    done = run("kindred-data", "init", "ratings.csv", "movies.csv", "notes.csv", "-o", "films.toml", cwd=tmp_path)
    assert done.stdout == """\
ratings.csv: interactions, 1500 rows, commas between fields, a header
  user    userId: 60
  item    movieId: 50
  value   rating: stars, 1 to 5
  time    timestamp: first 1692670206
movies.csv: items, 50 rows, commas between fields, a header
  id      movieId: 50
  title   title
  tags    genres: '|' between
notes.csv: not used (movieId occurs more than once: no table of items or users)

wrote films.toml; look through it, then
  kindred-train films.toml
  kindred-topk runs/films --users 40 --explain
"""
    run("kindred-train", "films.toml", "--quiet", cwd=tmp_path)
    assert "Film, number" in run("kindred-topk", "runs/films", "--users", "40", "-k", "3", cwd=tmp_path).stdout


def test_paths_are_relative_to_the_config(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "in/ratings.csv").write_text(FILES["ratings.csv"])
    run("kindred-data", "init", "in/ratings.csv", "-o", "configs/mine.toml", cwd=tmp_path)
    assert 'interactions = "../in/ratings.csv"' in (tmp_path / "configs/mine.toml").read_text()
    run("kindred-train", "configs/mine.toml", "--quiet", cwd=tmp_path)
    printed = run("kindred-data", "init", "in/ratings.csv", "-o", "-", cwd=tmp_path).stdout
    assert 'interactions = "in/ratings.csv"' in printed and "[model]" in printed
    assert not (tmp_path / "ratings.toml").exists()


def test_keeps_a_config_that_is_there(run, tmp_path):
    (tmp_path / "ratings.csv").write_text(FILES["ratings.csv"])
    (tmp_path / "ratings.toml").write_text("mine")
    done = run("kindred-data", "init", "ratings.csv", cwd=tmp_path, code=2)
    assert done.stderr == (
        "kindred-data: ratings.toml: the file is there; name another one with -o, or replace it with --force\n"
    )
    assert (tmp_path / "ratings.toml").read_text() == "mine"
    run("kindred-data", "init", "ratings.csv", "--force", cwd=tmp_path)
    assert "[data]" in (tmp_path / "ratings.toml").read_text()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["absent.csv"], "absent.csv: cannot read: No such file or directory; expected a file"),
        (["empty.csv"], "empty.csv: the file is empty"),
        (["prices.csv"], "prices.csv: nothing looks like interactions; expected a table with a column of users and one of "
         "items (a header with the names user and item settles it)"),
    ],
)
def test_says_what_is_wrong(run, tmp_path, arguments, message):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "prices.csv").write_text("price\n1.5\n2.5\n")
    done = run("kindred-data", "init", *arguments, cwd=tmp_path, code=2)
    assert done.stderr == f"kindred-data: {message}\n"
    assert not list(tmp_path.glob("*.toml"))


def test_real_files(run, need, tmp_path):
    movielens = need("ml-latest-small")
    files = [movielens / name for name in ("links.csv", "movies.csv", "ratings.csv", "tags.csv")]
    done = run("kindred-data", "init", *files, "-o", tmp_path / "ml.toml")
    kinds = [line.split("/")[-1] for line in done.stdout.splitlines() if line.startswith("/")]
    assert [kind.split(",")[0] for kind in kinds] == [
        "links.csv: not used (has neither titles nor tags)",
        "movies.csv: items",
        "ratings.csv: interactions",
        "tags.csv: not used (other columns than ratings.csv)",
    ]
    run("kindred-train", tmp_path / "ml.toml", "--out", tmp_path / "run", "--set", "model.factors=8", "--quiet")
