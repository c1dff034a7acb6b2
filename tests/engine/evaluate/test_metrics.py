# SPDX-License-Identifier: Apache-2.0
"""Every metric of a run recomputed in NumPy float64 from the model file alone, on real data. The parts in the file are
first held against ratings.csv, so that nothing rests on Kindred's own word."""
import csv
import json

import h5py
import numpy as np
import pytest

LIST_METRICS = ["recall@20", "recall@5", "precision@10", "hit@3", "ndcg@10", "ndcg@50", "map@10", "mrr@10"]
OTHER_METRICS = ["coverage@10", "novelty@10", "diversity@10", "auc", "auc_global"]
ROUNDING = 1e-5  # a difference of scores below it may have either sign in fp32: 64 products, each below 1


class Model:
    def __init__(self, path):
        with h5py.File(path) as file:
            self.mean = float(file.attrs["global_mean"])
            self.users, self.items = file["users/ids"][:], file["items/ids"][:]
            self.x, self.y = (file[f"{side}/factors"][:].astype(np.float64) for side in ("users", "items"))
            self.user_bias, self.item_bias = (
                file[f"{side}/bias"][:].astype(np.float64) if f"{side}/bias" in file else np.zeros(len(ids))
                for side, ids in (("users", self.users), ("items", self.items))
            )
            self.train = self.rows(file["history"])
            self.validation = self.rows(file["held_out/validation"])
            self.test = self.rows(file["held_out/test"])

    @staticmethod
    def rows(group):
        """A list of {item row: value}, one a user."""
        indptr, indices, data = group["indptr"][:], group["indices"][:], group["data"][:]
        return [dict(zip(indices[a:b].tolist(), data[a:b].tolist())) for a, b in zip(indptr, indptr[1:])]

    def scores(self, user):
        return self.mean + self.user_bias[user] + self.item_bias + self.y @ self.x[user]


def metric(name, gains, ideal):
    """`gains` of the ranked candidates, `ideal` those of the relevant items, descending."""
    kind, k = name.split("@")[0], int(name.split("@")[1])
    top = gains[:k]
    hits = top > 0
    if kind == "recall":
        return hits.sum() / len(ideal)
    if kind == "precision":
        return hits.sum() / k
    if kind == "hit":
        return float(hits.any())
    if kind == "mrr":
        return 1 / (1 + np.argmax(hits)) if hits.any() else 0.0
    if kind == "map":
        ranks = np.flatnonzero(hits) + 1
        return (np.arange(1, len(ranks) + 1) / ranks).sum() / min(k, len(ideal))
    discounts = 1 / np.log2(np.arange(2, len(gains) + 2))
    best = ideal[:k] @ discounts[: len(ideal[:k])]
    return top @ discounts[: len(top)] / best


def rank(scores, seen, relevant):
    """Gains of all candidates in order, a relevant item after its equals; and whether rounding can change that order
    where it matters."""
    candidates = np.setdiff1d(np.arange(len(scores)), np.fromiter(seen, int, len(seen)))
    gains = np.zeros(len(scores))
    gains[list(relevant)] = list(relevant.values())
    gains = gains[candidates]
    order = np.lexsort((gains, -scores[candidates]))
    ranked, gains = scores[candidates][order], gains[order]
    gap = ranked[:59] - ranked[1:60]
    unclear = np.any((gap > 0) & (gap < ROUNDING) & ((gains[:59] > 0) | (gains[1:60] > 0)))
    return gains, bool(unclear)


def auc(positives, negatives):
    """Of all pairs those in order, ties half: by the ranks of the positives (Mann and Whitney 1947)."""
    negatives = np.sort(negatives)
    below, not_above = np.searchsorted(negatives, positives), np.searchsorted(negatives, positives, "right")
    return (below + not_above).sum() / 2 / (len(positives) * len(negatives))


def recompute_others(model, held_out, seen):
    """Coverage, novelty, diversity and auc, with every held-out pair relevant."""
    had_by = np.zeros(len(model.items))
    for pairs in model.train:
        had_by[list(pairs)] += 1
    surprise = -np.log2(np.maximum(had_by, 1) / len(model.users))
    unit = model.y / np.maximum(1e-300, np.linalg.norm(model.y, axis=1, keepdims=True))  # rows of zeros stay
    listed, novelty, diversity, aucs, positives, negatives = set(), [], [], [], [], []
    for user, pairs in enumerate(held_out):
        if not pairs:
            continue
        scores, is_candidate = model.scores(user), np.full(len(model.items), True)
        is_candidate[list(set().union(*(part[user] for part in seen)))] = False
        top = np.lexsort((np.arange(len(scores)), np.where(is_candidate, -scores, np.inf)))[:10]
        listed.update(top.tolist())
        novelty.append(surprise[top].mean())
        cosines = unit[top] @ unit[top].T
        diversity.append(1 - cosines[np.triu_indices(10, 1)].mean())
        is_relevant = np.zeros(len(scores), bool)
        is_relevant[list(pairs)] = True
        positives.append(scores[is_relevant])
        negatives.append(scores[is_candidate & ~is_relevant])
        aucs.append(auc(positives[-1], negatives[-1]))
    return {"coverage@10": len(listed) / len(model.items), "novelty@10": np.mean(novelty),
            "diversity@10": np.mean(diversity), "auc": np.mean(aucs),
            "auc_global": auc(np.concatenate(positives), np.concatenate(negatives))}


def recompute(model, held_out, seen, names, relevant_min=-np.inf, gain_by_value=False):
    """{metric: {user row: value}} of list metrics, the users whose order is unclear, and rmse and mae."""
    values, unclear, misses = {name: {} for name in names}, set(), []
    for user, pairs in enumerate(held_out):
        scores = model.scores(user)
        misses += [scores[item] - value for item, value in pairs.items()]
        relevant = {item: value if gain_by_value else 1.0 for item, value in pairs.items() if value >= relevant_min}
        if not relevant:
            continue
        gains, open_order = rank(scores, set().union(*(part[user] for part in seen)), relevant)
        if open_order:
            unclear.add(user)
        ideal = np.sort(list(relevant.values()))[::-1]
        for name in names:
            values[name][user] = metric(name, gains, ideal)
    misses = np.array(misses)
    return values, unclear, {"rmse": np.sqrt((misses**2).mean()), "mae": np.abs(misses).mean()}


CONFIG = """
name = "metrics"
[data]
interactions = "{data}/ratings.csv"
[split]
test = 0.1
validation = 0.1
"""


def train(run, data, folder, text):
    config = folder.parent / "run.toml"
    config.write_text(CONFIG.format(data=data) + text)
    run("kindred-train", config, "--out", folder, "--device", "cpu")
    return Model(folder / "model.h5"), json.loads((folder / "metrics.json").read_text())


def check(folder, model, metrics, names, errors=(), **options):
    expected, unclear, pairs = recompute(model, model.test, (model.train, model.validation), names, **options)
    with open(folder / "per_user.csv") as file:
        found = {int(row["user"]): row for row in csv.DictReader(file) if row[names[0]]}
    users = sorted(expected[names[0]])
    assert [int(model.users[user]) for user in users] == list(found)
    assert len(users) == metrics["data"]["users_evaluated"]
    assert len(unclear) <= 0.02 * len(users)
    for name in names:
        own = np.array([float(row[name]) for row in found.values()])
        for user, value in zip(users, own):
            if user not in unclear:
                assert value == pytest.approx(expected[name][user], rel=1e-6, abs=1e-12), (name, model.users[user])
        assert metrics["test"][name]["mean"] == pytest.approx(own.mean(), rel=1e-9)
        assert metrics["test"][name]["low"] < own.mean() < metrics["test"][name]["high"]
    for name in errors:
        assert metrics["test"][name]["mean"] == pytest.approx(pairs[name], rel=1e-6)
    # Validation: the same, but only what was trained on is no candidate. Its per-user values are not in the folder.
    expected, unclear, pairs = recompute(model, model.validation, (model.train,), names, **options)
    for name in names:
        slack = len(unclear) / len(expected[name])  # what the unclear users could change
        mean = np.mean(list(expected[name].values()))
        assert metrics["validation"][name]["mean"] == pytest.approx(mean, rel=1e-6, abs=slack), name
    for name in errors:
        assert metrics["validation"][name]["mean"] == pytest.approx(pairs[name], rel=1e-6)


def test_parts_are_the_ratings(run, need, tmp_path):
    data = need("ml-latest-small")
    model, metrics = train(run, data, tmp_path / "run", '[model]\ntype = "als"\n[train]\nepochs = 1\n')
    with open(data / "ratings.csv") as file:
        ratings = {(int(r["userId"]), int(r["movieId"])): float(r["rating"]) for r in csv.DictReader(file)}
    parts = {}
    for name in ("train", "validation", "test"):
        part = {(int(model.users[user]), int(model.items[item])): value
                for user, pairs in enumerate(getattr(model, name)) for item, value in pairs.items()}
        assert len(part) == metrics["data"][name]
        assert not part.keys() & parts.keys()
        parts |= part
    assert parts == ratings


def test_implicit(run, need, tmp_path):
    model, metrics = train(run, need("ml-latest-small"), tmp_path / "run", f"""
[model]
type = "als"
unobserved_weight = 0.1
regularization = 0.01
[train]
epochs = 15
early_stopping = {{ metric = "ndcg@10", patience = 3 }}
[evaluate]
metrics = {json.dumps(LIST_METRICS + OTHER_METRICS)}
""")
    check(tmp_path / "run", model, metrics, LIST_METRICS)
    # fp32 decides a handful of the 6,000 listed places and of the 5 million pairs otherwise.
    slack = {"coverage@10": 3e-4, "novelty@10": 1e-4, "diversity@10": 1e-4, "auc": 1e-6, "auc_global": 1e-6}
    for part, seen in (("test", (model.train, model.validation)), ("validation", (model.train,))):
        for name, value in recompute_others(model, getattr(model, part), seen).items():
            found = metrics[part][name]
            assert found["mean"] == pytest.approx(value, abs=slack[name]), (part, name)
            if name == "coverage@10":
                assert found.keys() == {"mean"}
            else:
                assert found["low"] < found["mean"] < found["high"], name


def test_explicit_with_biases(run, need, tmp_path):
    names = ["ndcg@10", "recall@20", "map@5"]
    model, metrics = train(run, need("ml-latest-small"), tmp_path / "run", f"""
[model]
type = "als"
feedback = "explicit"
factors = 8
regularization = 0.1
[train]
epochs = 6
early_stopping = {{ metric = "rmse", patience = 3 }}
[evaluate]
gain = "value"
relevant_min = 4
metrics = {json.dumps(names + ["rmse", "mae"])}
""")
    check(tmp_path / "run", model, metrics, names, ("rmse", "mae"), relevant_min=4, gain_by_value=True)
