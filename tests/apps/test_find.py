# SPDX-License-Identifier: Apache-2.0
"""kindred-data find: titles as people type them, in tables, configs and models."""
import json

import pytest

FILMS = {
    "juminji": "Jumanji (1995)",
    "the matirx": "Matrix, The (1999)",
    "star wars 4": "Star Wars: Episode IV - A New Hope (1977)",
    "shawshank redemtion": "Shawshank Redemption, The (1994)",
    "godfather 2": "Godfather: Part II, The (1974)",
    "amelie": "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)",
    "toystory": "Toy Story (1995)",
    "lord of the rings fellowship": "Lord of the Rings: The Fellowship of the Ring, The (2001)",
    "scilence of the lams": "Silence of the Lambs, The (1991)",
    "pulp ficton 1994": "Pulp Fiction (1994)",
}


@pytest.mark.parametrize("query", FILMS)
def test_real_titles(run, need, query):
    done = run("kindred-data", "find", need("ml-latest-small") / "movies.csv", query, "-k", 3, "--json")
    assert json.loads(done.stdout.splitlines()[0])["title"] == FILMS[query]


def test_table_config_and_model_agree(run, tmp_path):
    run("kindred-data", "synth", tmp_path, "--users", 60, "--items", 40, "--interactions", 900)
    (tmp_path / "c.toml").write_text(
        'output = "run"\n[data]\ninteractions = "ratings.csv"\n[data.items]\nfile = "items.csv"\n[model]\ntype = "popularity"\n'
    )
    run("kindred-train", "c.toml", "--quiet", cwd=tmp_path)
    title = (tmp_path / "items.csv").read_text().splitlines()[7].split(",")[1].strip('"')
    printed = [run("kindred-data", "find", tmp_path / name, title).stdout for name in ("items.csv", "c.toml", "run", "run/model.h5")]
    assert printed[0].splitlines()[0].split() == ["like", "item", "title"]
    assert printed[0].splitlines()[1].endswith(title) and len(set(printed)) == 1


def test_unknown_titles_bring_three_suggestions(run, need):
    done = run("kindred-data", "find", need("ml-latest-small") / "movies.csv", "jmanijk", code=2)
    assert done.stdout == ""
    message = done.stderr.splitlines()[-1]
    assert message.startswith("kindred-data: no title is like 'jmanijk'; the nearest are '") and message.count("', '") == 2
    assert "'Jumanji (1995)'" in message


def test_says_what_is_missing(run, tmp_path):
    (tmp_path / "ratings.csv").write_text("user,item\n1,2\n")
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "ratings.csv"\n')
    assert "no column of titles" in run("kindred-data", "find", tmp_path / "ratings.csv", "x", code=2).stderr
    assert "data.items.file is missing" in run("kindred-data", "find", tmp_path / "c.toml", "x", code=2).stderr
