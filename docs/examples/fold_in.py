# SPDX-License-Identifier: Apache-2.0
"""Recommendations for somebody who is not in the model, from the model file alone: as kindred-topk MODEL --history
"1:5,260:4.5" --format csv. docs/model-file.md has the formulas.

    python fold_in.py runs/movielens-als 1:5,260:4.5 10
"""
import csv
import sys

import numpy as np
from model import Model, text, unit
from neighbors import find


def als(model, items, values):
    """One least-squares problem with the item table fixed: the row x and the user's bias."""
    recipe = {name: text(value) if isinstance(value, bytes) else value for name, value in model.fold_in.items()}
    y, n = model.y, len(items)
    if n == 0:
        return np.zeros(y.shape[1]), 0.0
    offset, scale = model.user_scale(items, values)
    values = (values - offset) / scale - model.normal_items[items]
    if recipe["objective"] == "explicit":
        weights, targets, unobserved = np.ones(n), values - recipe["mean"], 0.0
        targets = targets - model.item_bias[items] + model.normal_items[items]
    else:
        f = np.log1p(values) if recipe["confidence"] == "log" else values
        c = 1 + recipe["alpha"] * f
        hu_koren = recipe["objective"] == "hu-koren"
        weights, targets = (c - 1 if hu_koren else c), c
        unobserved = 1.0 if hu_koren else recipe["unobserved_weight"]
    gram = unobserved * y.T @ y
    if recipe["biases"]:  # the user's bias weighs one more column, of ones
        y = np.hstack([y, np.ones((len(y), 1))])
        gram = np.zeros((y.shape[1], y.shape[1]))
    ridge = recipe["regularization"] * (n + unobserved * len(y)) ** recipe["exponent"]
    own = y[items]
    x = np.linalg.solve(gram + (own.T * weights) @ own + ridge * np.eye(y.shape[1]), own.T @ targets)
    return (x[:-1], x[-1]) if recipe["biases"] else (x, 0.0)


def similar_users(model, items, values):
    """The users of the model's history that are nearest, with their weights."""
    recipe = {name: text(value) if isinstance(value, bytes) else value for name, value in model.fold_in.items()}

    def dense(items, values):
        row = np.full(len(model.items), np.nan)
        if recipe["normalized"]:
            offset, scale = model.user_scale(items, values)
            values = (values - offset) / scale - model.normal_items[items]
        row[items] = values
        return row

    users = np.array([dense(*row) for row in model.neighbors.history])
    return find(dense(items, values)[None], users, recipe)[0] if len(items) else {}


def svd(model, items, values):
    """The history's projection on the item table, whose columns are orthogonal."""
    y = model.y
    squares = np.sum(y.astype(float) ** 2, axis=0)
    offset, scale = model.user_scale(items, values)
    values = (values - offset) / scale - model.normal_items[items]
    return np.divide(values @ y[items], squares, out=np.zeros(len(squares)), where=squares > 0), 0.0


def profile(model, items, values):
    """The mean of the items' rows, weighed by the values."""
    offset, scale = model.user_scale(items, values)
    values = (values - offset) / scale - model.normal_items[items]
    weight = np.abs(values).sum()
    return (values @ model.y[items] / weight if weight > 0 else np.zeros(model.y.shape[1])), 0.0


def main(path, history, k=10):
    model = Model(path)
    values = {}
    for entry in history.split(","):
        name, _, value = entry.partition(":")
        if name in model.item_row:
            values[model.item_row[name]] = float(value or 1)
    items = np.array(sorted(values), dtype=int)
    values = np.array([values[item] for item in items])
    scale = model.user_scale(items, values)
    method = text(model.fold_in.get("method", "none"))
    if method in ("als", "svd", "profile"):
        x, bias = {"als": als, "svd": svd, "profile": profile}[method](model, items, values)
        if model.about["metric"] == "cosine":
            x = unit(x)
        if not model.has_item_bias and not x.any():
            scores = model.popularity()
        else:
            scores = model.finish(model.y @ x + model.item_bias + bias, scale=scale)
    elif model.neighbors:
        if method == "neighbors":
            sources = similar_users(model, items, values)
        else:
            sources = dict(zip(items, model.neighbors.residuals(items, values)))
        scores = model.neighbor_scores(sources, scale=scale)
    elif model.about["scorer"] == "constant":  # of the history only its scale counts
        scores = model.finish(model.item_bias, scale=scale)
    else:
        raise SystemExit(f"{path}: no recipe for people who are not in it (/fold_in)")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["user", "rank", "item", "score"])
    for rank, item in enumerate(model.best(scores, items, int(k)), 1):
        out.writerow(["history", rank, model.items[item], scores[item]])


if __name__ == "__main__":
    main(*sys.argv[1:])
