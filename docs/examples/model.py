# SPDX-License-Identifier: Apache-2.0
"""A model file as NumPy arrays, and its one formula for scores (docs/model-file.md). score.py, rank.py and fold_in.py
import it; nothing here needs Kindred."""
import pathlib

import h5py
import numpy as np
from neighbors import Neighbors

LINKS = {"identity": lambda s: s, "sigmoid": lambda s: 1 / (1 + np.exp(-s)), "relu": lambda s: np.maximum(s, 0)}


def unit(rows):
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Model:
    """`path`: a model file, or a run folder."""

    def __init__(self, path):
        path = pathlib.Path(path)
        with h5py.File(path / "model.h5" if path.is_dir() else path) as file:
            self.about = {name: text(value) if isinstance(value, bytes) else value for name, value in file.attrs.items()}
            if self.about["scorer"] not in ("factors", "constant", "neighbors"):
                raise SystemExit(f"{path}: scores of '{self.about['scorer']}' are not a product of factors")
            self.users = [text(name) for name in file["users/ids"][()]]
            self.items = [text(name) for name in file["items/ids"][()]]
            self.user_row = {name: row for row, name in enumerate(self.users)}
            self.item_row = {name: row for row, name in enumerate(self.items)}
            m, n, d = len(self.users), len(self.items), int(self.about["dimension"])

            def table(name, otherwise):
                return file[name][()].astype(np.float64) if name in file else otherwise

            self.x = table("users/factors", np.zeros((m, d)))
            self.y = table("items/factors", np.zeros((n, d)))
            self.user_bias, self.item_bias = table("users/bias", np.zeros(m)), table("items/bias", np.zeros(n))
            self.offset, self.scale = table("users/offset", np.zeros(m)), table("users/scale", np.ones(m))
            self.count, self.mean = table("items/count", np.zeros(n)), table("items/mean", np.zeros(n))
            parts = ("history", "held_out/validation", "held_out/test", "held_out/given")
            self.seen = [self.csr(file, name) for name in parts]
            self.fold_in = dict(file["fold_in"].attrs) if "fold_in" in file else {}
            self.normalization = dict(file["fold_in/normalization"].attrs) if "fold_in/normalization" in file else {}
            self.normal_items = table("fold_in/normalization/items", np.zeros(n))
            self.has_item_bias = "items/bias" in file or "items/center" in file
            self.neighbors = Neighbors(file, self) if self.about["scorer"] == "neighbors" else None
            self.unknown_item = 0.0  # what is expected of an item that is not in the file
            if self.neighbors:
                self.has_item_bias |= self.neighbors.average  # the user's mean remains
                self.item_bias = self.item_bias + self.neighbors.center
                if self.neighbors.average and text(self.normalization.get("method", "none")) == "subtract-item-mean":
                    self.unknown_item = self.normalization["mean"]
                elif self.neighbors.average and not self.normal_items.any():
                    self.unknown_item = self.neighbors.center[0]
        if self.about["metric"] == "cosine":
            self.x, self.y = unit(self.x), unit(self.y)

    @staticmethod
    def csr(file, name):
        return tuple(file[name][part][()] for part in ("indptr", "indices", "data")) if name in file else None

    def had(self, user):
        """Rows of the items that a user has had, held-out ones too."""
        parts = [indices[indptr[user] : indptr[user + 1]] for indptr, indices, _ in filter(None, self.seen)]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, int)

    def user_scale(self, items=(), values=()):
        """Offset and scale that normalizing gives somebody with this history; without one, anybody."""
        n, values = self.normalization, np.asarray(values, float)
        mean = values.mean() if len(values) else n.get("mean", 0.0)
        match text(n.get("method", "none")):
            case "divide-user-mean":
                return 0.0, mean
            case "subtract-user-mean":
                return mean, 1.0
            case "z-score":
                return mean, (values.std() if len(values) else 0.0) or n["deviation"]
            case "baseline" if len(values):
                residuals = values - n["mean"] - self.normal_items[items]
                return n["mean"] + residuals.sum() / (n["damping"] + len(values)), 1.0
            case "baseline":
                return n["mean"], 1.0
        return 0.0, 1.0

    def finish(self, raw, user=None, scale=None):
        """From a raw score to the scale of the training values; `user`: a row, None for people not in the model, whose
        `scale` is that of their history."""
        raw = self.about["global_mean"] + raw
        if user is not None:
            raw, scale = raw + self.user_bias[user], (self.offset[user], self.scale[user])
        elif not self.about["predicts_values"]:
            scale = 0.0, 1.0
        offset, factor = scale or self.user_scale()
        return LINKS[self.about["link"]](offset + factor * raw)

    def scores(self, user):
        """Of all items for one user of the model."""
        if self.neighbors:
            return self.neighbor_scores(self.neighbors.sources(user), user)
        if not self.has_item_bias and not self.x[user].any():
            return self.popularity()  # the model knows nothing of this user
        return self.finish(self.y @ self.x[user] + self.item_bias, user)

    def neighbor_scores(self, sources, user=None, scale=None):
        """From sources; -inf where no neighbor leads to an item and the model says nothing of all items."""
        raw, found = self.neighbors.raw(sources)
        if not self.has_item_bias and not found.any():
            return self.popularity()
        scores = self.finish(raw + self.item_bias, user, scale)
        return scores if self.has_item_bias else np.where(found, scores, -np.inf)

    def popularity(self):
        """An item's count; where scores are values, its mean drawn to the mean of all (Bayesian average)."""
        if not self.about["predicts_values"]:
            return self.count
        rated = self.count > 0
        weight, middle = self.count[rated].mean(), self.mean[rated].mean()
        return (weight * middle + self.count * self.mean) / (weight + self.count)

    def best(self, scores, without, k):
        """Rows of the k best items, best first; of equal ones the lower row first."""
        order = np.argsort(-scores, kind="stable")
        return order[~np.isin(order, without) & (scores[order] > -np.inf)][:k]
