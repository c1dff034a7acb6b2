# SPDX-License-Identifier: Apache-2.0
"""kindred-evaluate as a user meets it: models and lists, held against scikit-learn, against the run's own figures, and
against itself; wrong input."""
import csv
import json

import numpy as np
import pytest
from sklearn import metrics as sk

CONFIG = """
[data]
interactions = "{data}/ratings.csv"
items = {{ file = "{data}/movies.csv", columns = {{ tags = "genres" }} }}
[model]
type = "{model}"
[evaluate]
metrics = ["recall@20", "ndcg@10", "novelty@10", "auc", "coverage@10"]
"""


@pytest.fixture(scope="module")
def runs(run, need, tmp_path_factory):
    """Folders of an als and a popularity run on real ratings."""
    folder = tmp_path_factory.mktemp("runs")
    for model in ("als", "popularity"):
        (folder / f"{model}.toml").write_text(CONFIG.format(data=need("ml-latest-small"), model=model))
        run("kindred-train", folder / f"{model}.toml", "--out", folder / model, "--device", "cpu")
    return folder


def evaluate(run, *arguments, **more):
    return json.loads(run("kindred-evaluate", *arguments, "--format", "json", **more).stdout)["metrics"]


def write(path, header, rows):
    with open(path, "w") as file:
        file.write(header + "\n")
        file.writelines(",".join(map(str, row)) + "\n" for row in rows)
    return path


def random_trial(folder, seed, users=60, scale=1.0, levels=None):
    """Test pairs with values 1 to 5, negatives, and lists that score all of them: {user: (scores, values; 0 negative)}."""
    random = np.random.default_rng(seed)
    trial, test, negatives, lists = {}, [], [], []
    for user in range(users):
        items = random.permutation(1000)[: random.integers(3, 60)]
        values = np.where(np.arange(len(items)) < 1 + len(items) // 4, random.integers(1, 6, len(items)), 0)
        scores = random.random(len(items)) if levels is None else random.integers(0, levels, len(items)) / levels
        scores = (scale * scores).astype(np.float32)
        trial[user] = scores, values
        test += [(user, item, value) for item, value in zip(items, values) if value]
        negatives += [(user, item) for item, value in zip(items, values) if not value]
        lists += [(user, item, score) for item, score in zip(items, scores)]
    random.shuffle(lists)
    write(folder / "test.csv", "user,item,value", test)
    write(folder / "negatives.csv", "user,item", negatives)
    write(folder / "lists.csv", "user,item,score", lists)
    return trial, (folder / "lists.csv", "--test", folder / "test.csv", "--negatives", folder / "negatives.csv")


def test_lists_agree_with_scikit_learn(run, tmp_path):
    trial, call = random_trial(tmp_path, 1)
    found = evaluate(run, *call, "--gain", "value", "--metrics", "ndcg@5,ndcg@20,auc,auc_global,rmse,mae,logloss")
    mean = {name.split("/")[0]: entry["mean"] for name, entry in found.items()}
    assert all(name.endswith("/neg") for name in found)
    for k in (5, 20):
        expected = np.mean([sk.ndcg_score([values], [scores], k=k) for scores, values in trial.values()])
        assert mean[f"ndcg@{k}"] == pytest.approx(expected, rel=1e-6)
    aucs = [sk.roc_auc_score(values > 0, scores) for scores, values in trial.values()]
    assert mean["auc"] == pytest.approx(np.mean(aucs), rel=1e-6)
    scores, values = (np.concatenate(part) for part in zip(*trial.values()))
    assert mean["auc_global"] == pytest.approx(sk.roc_auc_score(values > 0, scores), rel=1e-6)
    held_out = values > 0
    assert mean["rmse"] == pytest.approx(sk.root_mean_squared_error(values[held_out], scores[held_out]), rel=1e-6)
    assert mean["mae"] == pytest.approx(sk.mean_absolute_error(values[held_out], scores[held_out]), rel=1e-6)
    found = evaluate(run, *call, "--relevant-min", "3", "--metrics", "logloss")
    expected = sk.log_loss(values[held_out] >= 3, scores[held_out].astype(float))
    assert found["logloss/neg"]["mean"] == pytest.approx(expected, rel=1e-6)


def test_ties_count_half_in_auc_and_against_the_relevant_in_lists(run, tmp_path):
    trial, call = random_trial(tmp_path, 2, levels=3)
    found = evaluate(run, *call, "--metrics", "auc,recall@5,mrr@5,map@5")
    aucs = [sk.roc_auc_score(values > 0, scores) for scores, values in trial.values()]
    assert found["auc/neg"]["mean"] == pytest.approx(np.mean(aucs), rel=1e-6)
    recalls, reciprocals, precisions = [], [], []
    for scores, values in trial.values():
        hits = (values > 0)[np.lexsort((values > 0, -scores))][:5]
        recalls.append(hits.sum() / (values > 0).sum())
        reciprocals.append(1 / (1 + np.argmax(hits)) if hits.any() else 0)
        at = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        precisions.append((at * hits).sum() / min(5, (values > 0).sum()))
    assert found["recall@5/neg"]["mean"] == pytest.approx(np.mean(recalls), rel=1e-9)
    assert found["mrr@5/neg"]["mean"] == pytest.approx(np.mean(reciprocals), rel=1e-9)
    assert found["map@5/neg"]["mean"] == pytest.approx(np.mean(precisions), rel=1e-9)


def test_order_and_threads_do_not_matter(run, tmp_path):
    _, call = random_trial(tmp_path, 3, levels=4)
    first = run("kindred-evaluate", *call, "--format", "json", "--threads", "1").stdout
    lines = (tmp_path / "lists.csv").read_text().splitlines()
    (tmp_path / "lists.csv").write_text("\n".join([lines[0]] + sorted(lines[1:])))
    assert run("kindred-evaluate", *call, "--format", "json", "--threads", "3").stdout == first


def test_ranks_repeats_and_absent_lists(run, tmp_path):
    test = write(tmp_path / "t.csv", "user,item", [(1, "a"), (2, "b"), (3, "c")])
    # By rank user 1 finds a second; user 2's b is named twice, the better place counts; user 3 has no list; 9 is nobody.
    lists = write(tmp_path / "l.csv", "user,item,rank,title",
                  [(1, "x", 1, "X"), (1, "a", 2, "A"), (2, "b", 7, "B"), (2, "b", 1, "B"), (9, "z", 1, "Z")])
    done = run("kindred-evaluate", lists, "--test", test, "--metrics", "mrr@5", "--format", "csv")
    assert done.stdout.splitlines()[1].startswith("mrr@5,0.5,")  # (1/2 + 1 + 0) / 3
    assert "lists name an item again" in done.stderr and "rows=1" in done.stderr
    assert "have no list: nothing is found for them users=1" in done.stderr


def test_seen_items_are_no_candidates(run, tmp_path):
    test = write(tmp_path / "t.csv", "user,item", [(1, "b")])
    train = write(tmp_path / "train.csv", "user,item", [(1, "a"), (2, "a"), (2, "b"), (3, "c"), (4, "a")])
    lists = write(tmp_path / "l.csv", "user,item,score", [(1, "a", 9), (1, "b", 8)])
    arguments = (lists, "--test", test, "--train", train, "--metrics", "mrr@5,novelty@1,coverage@5")
    found = evaluate(run, *arguments)
    assert found["mrr@5"]["mean"] == 1
    assert found["novelty@1"]["mean"] == 2  # one of four users has had b
    assert found["coverage@5"] == {"mean": pytest.approx(1 / 3), "low": None, "high": None}
    assert evaluate(run, *arguments, "--include-seen")["mrr@5"]["mean"] == 0.5


def test_a_run_folder_gives_the_runs_own_figures(run, runs, tmp_path):
    own = json.loads((runs / "als/metrics.json").read_text())["test"]
    found = evaluate(run, runs / "als", "--metrics", ",".join(own), "--per-user", tmp_path / "u.csv", "--device", "cpu")
    for name, entry in own.items():
        assert found[name]["mean"] == entry["mean"], name
        assert found[name]["low"] == entry.get("low"), name
    assert (tmp_path / "u.csv").read_text() == (runs / "als/per_user.csv").read_text()


def test_lists_of_a_model_score_as_the_model(run, runs, need, tmp_path):
    run("kindred-topk", runs / "als", "--all-users", "-k", "50", "--to", tmp_path / "l.csv", "--device", "cpu")
    import h5py

    with h5py.File(runs / "als/model.h5") as file:
        users, items = file["users/ids"][:], file["items/ids"][:]
        rows = {}
        for part in ("history", "held_out/validation", "held_out/test"):
            group = file[part]
            who = np.repeat(users, np.diff(group["indptr"][:]))
            rows[part] = list(zip(who, items[group["indices"][:]], group["data"][:]))
    test = write(tmp_path / "t.csv", "user,item,rating", rows["held_out/test"])
    train = write(tmp_path / "train.csv", "user,item,rating", rows["history"] + rows["held_out/validation"])
    # topk leaves held-out items out unless asked for them: the lists are asked for again with them.
    run("kindred-topk", runs / "als", "--all-users", "-k", "50", "--include-held-out", "--to", tmp_path / "l.csv",
        "--device", "cpu")
    metrics = ("--metrics", "recall@20,ndcg@10,mrr@10")
    lists = evaluate(run, tmp_path / "l.csv", "--test", test, "--train", train, *metrics)
    assert evaluate(run, runs / "als", "--test", test, *metrics, "--device", "cpu") == lists
    assert evaluate(run, runs / "als", "--test", test, "--train", train, *metrics, "--device", "cpu") == lists


def test_against(run, runs, tmp_path):
    call = ("kindred-evaluate", runs / "als", "--device", "cpu", "--metrics", "ndcg@10,coverage@10")
    found = json.loads(run(*call, "--against", runs / "popularity", "--format", "json").stdout)["metrics"]
    assert found["ndcg@10"]["difference"] == pytest.approx(found["ndcg@10"]["mean"] - found["ndcg@10"]["against"])
    assert 0 < found["ndcg@10"]["low"] < found["ndcg@10"]["difference"] < found["ndcg@10"]["high"]
    assert found["coverage@10"]["low"] is None
    # The interval of a difference, from the users' own: mean +- 1.96 standard errors, within what 1,000 draws leave open.
    own = {}
    for model in ("als", "popularity"):
        run("kindred-evaluate", runs / model, "--metrics", "ndcg@10", "--per-user", tmp_path / "u.csv", "--device", "cpu")
        with open(tmp_path / "u.csv") as file:
            own[model] = np.array([float(row["ndcg@10"]) for row in csv.DictReader(file)])
    gap = own["als"] - own["popularity"]
    half = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
    assert found["ndcg@10"]["low"] == pytest.approx(gap.mean() - half, abs=0.2 * half)
    assert found["ndcg@10"]["high"] == pytest.approx(gap.mean() + half, abs=0.2 * half)
    itself = json.loads(run(*call, "--against", runs / "als", "--format", "json").stdout)["metrics"]["ndcg@10"]
    assert itself["difference"] == itself["low"] == itself["high"] == 0
    table = run(*call, "--against", runs / "popularity").stdout.splitlines()
    assert table[0].split() == ["test", "mean", "against", "difference", "95", "%", "interval"]


def test_drawn_negatives(run, runs):
    call = (runs / "als", "--negatives", "100", "--metrics", "hit@10,auc", "--device", "cpu")
    found = evaluate(run, *call)
    assert set(found) == {"hit@10/100neg", "auc/100neg"}
    assert evaluate(run, *call) == found
    assert evaluate(run, *call, "--seed", "7") != found
    everything = evaluate(run, runs / "als", "--metrics", "hit@10,auc", "--device", "cpu")
    assert found["hit@10/100neg"]["mean"] > everything["hit@10"]["mean"] + 0.2  # easier by far
    assert found["auc/100neg"]["mean"] == pytest.approx(everything["auc"]["mean"], abs=0.01)  # the same question


def test_diversity_of_tags(run, runs, need):
    found = evaluate(run, runs / "popularity", "--metrics", "diversity@10", "--device", "cpu")
    assert 0.3 < found["diversity@10"]["mean"] < 1


@pytest.mark.parametrize("lists, says", [
    ("user,item,score\n1,a,nan\n", "l.csv:2: score: expected a number, found 'nan'"),
    ("user,item,score\n1,a,inf\n", "l.csv:2: score: expected a number, found 'inf'"),
    ("user,item,score\n1,a\n", "l.csv:2: expected 3 fields, found 2"),
    ("user,thing,score\n1,a,2\n", "l.csv: no column for the item; found user, thing, score"),
    ("user,item,weight\n1,a,2\n", "l.csv: no column for the score or the rank"),
    ("user,item,score\n", "l.csv: a header and no rows"),
    ("", "l.csv: the file is empty"),
])
def test_wrong_lists(run, tmp_path, lists, says):
    (tmp_path / "l.csv").write_text(lists)
    write(tmp_path / "t.csv", "user,item", [(1, "a")])
    done = run("kindred-evaluate", "l.csv", "--test", "t.csv", "--per-user", "u.csv", code=2, cwd=tmp_path)
    assert says in done.stderr and done.stdout == ""
    assert not (tmp_path / "u.csv").exists()


def test_wrong_calls(run, runs, tmp_path):
    test = write(tmp_path / "t.csv", "user,item", [(1, "a")])
    lists = write(tmp_path / "l.csv", "user,item,score", [(1, "a", 1.5)])

    def says(text, *arguments):
        assert text in run("kindred-evaluate", *arguments, code=2).stderr

    says("name it with --test FILE", lists)
    says("'ndgc@10' is unknown; did you mean 'ndcg'?", lists, "--test", test, "--metrics", "ndgc@10")
    says("expected each metric once", lists, "--test", test, "--metrics", "mrr@3,mrr@3")
    says("auc of lists needs negatives", lists, "--test", test, "--metrics", "auc")
    says("novelty@3 of lists needs the train part", lists, "--test", test, "--metrics", "novelty@3")
    says("diversity@3 of lists needs tags", lists, "--test", test, "--metrics", "diversity@3")
    says("logloss needs scores that are probabilities", lists, "--test", test, "--metrics", "logloss")
    says("is held out too", lists, "--test", test, "--negatives", test)
    says("expected a file, or a number from 1", lists, "--test", test, "--negatives", "0")
    says("--columns: expected user=NAME", lists, "--test", test, "--columns", "points=score")
    says("rmse needs a model that predicts values; 'als' is none", runs / "als", "--metrics", "rmse")
    says("No such file", tmp_path / "nothing.csv", "--test", test)
    other = write(tmp_path / "o.csv", "user,item", [(1, "a"), (1, "b")])
    says("the lists lack 1 of 2", lists, "--test", other, "--metrics", "mae")


def test_columns_may_be_named(run, tmp_path):
    test = write(tmp_path / "t.csv", "user,item", [(1, "a")])
    lists = write(tmp_path / "l.csv", "uid,thing,weight", [(1, "b", 2), (1, "a", 1)])
    names = ("--columns", "user=uid,item=thing,score=weight")
    assert evaluate(run, lists, "--test", test, "--metrics", "mrr@2", *names)["mrr@2"]["mean"] == 0.5
    bare = tmp_path / "bare.csv"
    bare.write_text("1,b,2\n1,a,1\n")
    names = ("--columns", "user=1,item=2,score=3")
    assert evaluate(run, bare, "--test", test, "--metrics", "mrr@2", *names)["mrr@2"]["mean"] == 0.5
