# SPDX-License-Identifier: Apache-2.0
"""kindred-data stats: figures against NumPy on real ratings, the page against its own JSON."""
import csv
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

NASTY = 'Tom & "Jerry" <script>alert(1)</script>'


def as_json(run, *arguments, **more):
    return json.loads(run("kindred-data", "stats", *arguments, "--json", **more).stdout)


@pytest.fixture(scope="module")
def ratings(need):
    with open(need("ml-latest-small") / "ratings.csv") as file:
        rows = [(int(r["userId"]), int(r["movieId"]), float(r["rating"]), int(r["timestamp"])) for r in csv.DictReader(file)]
    users, items, values, times = map(np.array, zip(*rows))
    return users, items, values, times


QUANTILES = {"min": 0, "p1": 1, "p5": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95, "p99": 99, "max": 100}


def check_spread(found, numbers):
    for name, p in QUANTILES.items():
        assert found[name] == pytest.approx(np.percentile(numbers, p)), name
    assert found["mean"] == pytest.approx(numbers.mean())
    assert found["deviation"] == pytest.approx(numbers.std())
    for bin in found["histogram"]:
        inside = numbers == bin["low"] if bin["low"] == bin["high"] else (numbers >= bin["low"]) & (numbers < bin["high"])
        assert bin["count"] == inside.sum()
    assert sum(bin["count"] for bin in found["histogram"]) == len(numbers)


def test_movielens_against_numpy(run, need, ratings):
    folder = need("ml-latest-small")
    found = as_json(run, folder / "ratings.csv", folder / "movies.csv")
    users, items, values, times = ratings
    ids, of_item = np.unique(items, return_counts=True)
    of_user = np.unique(users, return_counts=True)[1]
    assert (found["users"], found["items"], found["interactions"]) == (610, 9724, 100836)
    assert found["density"] == pytest.approx(100836 / 610 / 9724)
    check_spread(found["values"], values)
    check_spread(found["interactions_per_user"], of_user)
    check_spread(found["interactions_per_item"], of_item)

    sums = np.concatenate([[0], np.cumsum(np.sort(of_item))])
    at = np.interp(np.arange(101) / 100 * len(of_item), np.arange(len(sums)), sums) / sums[-1]
    assert found["popularity"]["lorenz"] == pytest.approx(at)
    pairs = np.abs(of_item[:, None] - of_item[None, :]).mean()
    assert found["popularity"]["gini"] == pytest.approx(pairs / 2 / of_item.mean())

    months = np.array(times, "datetime64[s]").astype("datetime64[M]")
    labels, counts = np.unique(months, return_counts=True)
    activity = {p["start"]: p["count"] for p in found["activity"]["counts"]}
    assert {p: c for p, c in activity.items() if c} == dict(zip(labels.astype(str), counts.tolist()))
    assert len(activity) == (months.max() - months.min()).astype(int) + 1

    total = np.bincount(items, values)[ids]
    usual, mean = of_item.mean(), (total / of_item).mean()
    score = (usual * mean + total) / (usual + of_item)
    bayesian = found["bayesian_average"]
    assert bayesian["usual_count"] == pytest.approx(usual) and bayesian["mean_of_means"] == pytest.approx(mean)
    for name, order in ("best", np.argsort(-score, kind="stable")), ("worst", np.argsort(score, kind="stable")):
        assert [int(i["item"]) for i in bayesian[name]] == ids[order[:10]].tolist()
        assert [i["score"] for i in bayesian[name]] == pytest.approx(score[order[:10]])
    assert [int(i["item"]) for i in bayesian["best"]][:5] == [318, 858, 2959, 260, 50]
    assert [int(i["item"]) for i in bayesian["worst"]][:5] == [1556, 3593, 1882, 1499, 2643]
    assert [round(i["score"], 3) for i in bayesian["best"]][:5] == [4.392, 4.236, 4.227, 4.193, 4.191]
    most = np.argsort(-of_item, kind="stable")[:10]
    assert [int(i["item"]) for i in found["most_rated"]] == ids[most].tolist()
    assert found["most_rated"][0]["title"] == "Forrest Gump (1994)"

    with open(folder / "movies.csv") as file:
        genres = {int(r["movieId"]): r["genres"].split("|") for r in csv.DictReader(file)}
    drama = np.array([g for g, names in genres.items() if "Drama" in names])
    assert found["tags"]["distinct"] == 20
    assert found["tags"]["most"][0] == {
        "tag": "Drama", "items": len(drama), "interactions": int(np.isin(items, drama).sum()),
        "mean": pytest.approx(values[np.isin(items, drama)].mean()),
    }
    assert found["missing"]["items_without_interactions"] == len(genres) - 9724 == 18
    constant = [u for u in np.unique(users) if len(set(values[users == u])) == 1]
    assert found["odd"]["users_of_one_value"] == len(constant)


def test_a_config_is_read_whole(run, need, root, ratings):
    need("ml-latest-small")
    found = as_json(run, root / "configs/movielens-als.toml")
    assert found["interactions"] == len(ratings[0])
    assert found["activity"]["first"] == "1996-03-29T18:36:55Z"


def test_parts_of_a_split_are_taken_together(run, tmp_path):
    (tmp_path / "a.txt").write_text("1 10 11\n2 10\n")
    (tmp_path / "b.txt").write_text("2 11\n")
    (tmp_path / "c.toml").write_text(
        '[data]\nformat = "adjacency"\n[split]\nprotocol = "files"\nfiles = { train = "a.txt", test = "b.txt" }\n'
    )
    found = as_json(run, tmp_path / "c.toml")
    assert (found["interactions"], found["density"]) == (4, 1.0)
    assert "values" not in found and "activity" not in found


@pytest.fixture
def nasty(tmp_path):
    rows = "".join(f"{u},{i},{1 + (u * i) % 5},{1_600_000_000 + 2_000_000 * u}\n" for u in range(40) for i in range(9))
    (tmp_path / "ratings.csv").write_text("user,item,rating,time\n" + rows + "1,2,bad <value>,1\n1,3,4,1600000000\n")
    quoted = NASTY.replace('"', '""')
    titles = "".join(f'{i},"{quoted} {i}","<i>&{i}|</script>"\n' for i in range(10))
    (tmp_path / "items.csv").write_text("id,title,tags\n" + titles)
    (tmp_path / "nasty.toml").write_text('[data]\ninteractions = "ratings.csv"\nitems = { file = "items.csv" }\n')
    return tmp_path / "nasty.toml"


def test_page_is_whole_and_says_what_json_says(run, nasty):
    found = as_json(run, nasty, "--html", nasty.with_suffix(".html"))
    text = nasty.with_suffix(".html").read_text()
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    page = ElementTree.fromstring(text.replace("<!DOCTYPE html>", ""))
    scripts = list(page.iter("script"))
    assert [s.get("type") for s in scripts] == ["application/json"]
    assert not any(e.get("src") or e.get("href") or any(k.startswith("on") for k in e.keys()) for e in page.iter())
    assert json.loads(scripts[0].text) == found

    visible = [t.strip() for e in page.find("body").iter() if e.tag != "script" for t in (e.text, e.tail) if t]
    shown = "\n".join(visible)
    figures = dict(zip((e.text for e in page.iter("dt")), (e.text for e in page.iter("dd"))))
    assert figures["Interactions"] == f"{found['interactions']:,}" and figures["Users"] == "40"
    for item in found["most_rated"]:
        assert item["title"] in shown and NASTY in item["title"]
    for item in found["bayesian_average"]["best"] + found["bayesian_average"]["worst"]:
        assert f"{item['score']:.3f}" in visible
    for tag in found["tags"]["most"]:
        assert tag["tag"] in visible
    assert [e.text for e in page.iter("li") if e.text and not len(e)] == found["warnings"]
    hints = [e.text for e in page.iter("title")]
    for bin in found["values"]["histogram"]:
        assert any(h.startswith(f"{bin['low']:g}: {bin['count']} interactions") for h in hints)
    for period in found["activity"]["counts"]:
        assert f"{period['start']}: {period['count']} interactions" in hints
    assert "bad <value>" in shown

    # The heights of the bars are the counts, in pixels of a plot of 200.
    first = next(e for e in page.iter("svg") if e.get("class", "").startswith("plot"))
    heights = [float(r.get("height")) for r in first.iter("rect")]
    counts = [bin["count"] for bin in found["values"]["histogram"]]
    assert heights == pytest.approx([200 * c / max(counts) for c in counts], rel=1e-3)


def test_page_of_the_smallest_data(run, tmp_path):
    (tmp_path / "one.csv").write_text("user,item\nanna,brot\n")
    found = as_json(run, tmp_path / "one.csv", "--html", tmp_path / "one.html")
    assert found["interactions"] == 1 and found["density"] == 1
    page = ElementTree.fromstring((tmp_path / "one.html").read_text().replace("<!DOCTYPE html>", ""))
    assert all(np.isfinite(float(n)) for e in page.iter() for k in ("y", "y1", "cy") if (n := e.get(k)))
    assert "nan" not in re.sub("[a-z]*nan[a-z]+|[a-z]+nan", "", ElementTree.tostring(page, encoding="unicode"))


def test_table_names_the_odd(run, nasty):
    done = run("kindred-data", "stats", nasty)
    assert f"{nasty.parent}/ratings.csv:362: rating: expected a number, found 'bad <value>'" in done.stdout
    assert re.search(r"rows that repeat a pair of user and item +1\n", done.stdout)
    assert re.search(r"items listed that nobody has had +1\n", done.stdout)
    assert done.stdout.count("\n! ") == 3


def test_says_what_is_wrong(run, tmp_path):
    (tmp_path / "all_bad.csv").write_text("user,item,rating\n1,1,a\n2,2,b\n")
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "all_bad.csv"\n')
    done = run("kindred-data", "stats", tmp_path / "c.toml", "--html", tmp_path / "x.html", code=2)
    assert "all_bad.csv:2: rating: expected a number, found 'a'" in done.stderr and not (tmp_path / "x.html").exists()
    # Files alone are read as init would: what holds other things than numbers is not taken as the value.
    warnings = as_json(run, tmp_path / "all_bad.csv")["warnings"]
    assert warnings[0] == f"{tmp_path}/all_bad.csv: left out: rating: holds other things than numbers ('a')."
    done = run("kindred-data", "stats", tmp_path / "absent.csv", code=2)
    assert "absent.csv: cannot read" in done.stderr
    (tmp_path / "ok.csv").write_text("user,item\n1,1\n")
    run("kindred-data", "stats", tmp_path / "ok.csv", "--html", tmp_path / "no/such/x.html", code=1)
