# SPDX-License-Identifier: Apache-2.0
"""Models of neighbors (item-knn, user-knn, ease) as NumPy: scores from what people have had, and the search by which
somebody new finds similar users. model.py and fold_in.py import it."""
import numpy as np


def rows_of(csr):
    """Each row's indices and values, as they stand."""
    indptr, indices, data = csr
    return [(indices[a:b], data[a:b].astype(np.float64)) for a, b in zip(indptr, indptr[1:])]


class Neighbors:
    """The scorer: `file`: an open model file, `model`: the Model that it belongs to."""

    def __init__(self, file, model):
        side = "items" if "items/neighbors" in file else "users"
        group = file[f"{side}/neighbors"]
        self.model, self.of_items = model, side == "items"
        self.weights = rows_of(tuple(group[part][()] for part in ("indptr", "indices", "data")))
        self.average = bytes(group.attrs["prediction"]) == b"weighted-average"
        self.used = int(group.attrs["neighbors_used"]) or None
        self.center = file["items/center"][()].astype(np.float64) if "items/center" in file else 0 * model.item_bias
        self.history = rows_of(model.seen[0])

    def residuals(self, items, values):
        """What somebody's values are above what is expected."""
        offset, scale = self.model.user_scale(items, values)
        return (values - offset) / scale - self.center[items]

    def sources(self, user):
        """What a user's scores come from: residuals of items, or weights of users, the largest first."""
        return dict(zip(self.history[user][0], self.residuals(*self.history[user]))) if self.of_items else dict(
            zip(*self.weights[user]))

    def raw(self, sources):
        """Scores of all items but for what every user's hold; and which items a neighbor leads to."""
        n = len(self.model.items)
        raw, found = np.zeros(n), np.zeros(n, bool)
        if self.of_items:
            parts = [[(w, sources[j]) for j, w in zip(*self.weights[i]) if j in sources] for i in range(n)]
        else:
            parts = [[] for _ in range(n)]
            for user, weight in sources.items():
                items, values = self.history[user]
                for i, value in zip(items, self.residuals(items, values)):
                    parts[i].append((weight, value))
        for i, part in enumerate(parts):
            weights, values = np.array(part[: self.used]).reshape(-1, 2).T
            found[i] = len(weights) > 0
            if found[i]:
                raw[i] = weights @ values / (np.abs(weights).sum() if self.average else 1)
        return raw, found


def similarity(x, had_x, y, had_y, how, columns):
    """Of two rows over the same columns, docs/neighbors.md; None: no neighbors. had: where a row has entries."""
    both = had_x & had_y
    n = both.sum()
    if n < how["min_overlap"]:
        return None
    metric, missing = how["similarity"], how["missing"]
    if missing == "ignore" and metric not in ("dot", "jaccard"):
        x, y = x[both], y[both]
    else:
        fill = {"row-mean": lambda row, had: row[had].mean(), "column-mean": lambda row, had: columns[~had]}
        take = fill.get(missing, lambda row, had: 0.0)
        x, y = x.copy(), y.copy()
        x[~had_x], y[~had_y] = take(x, had_x), take(y, had_y)
    if metric == "pearson":
        x, y = x - x.mean(), y - y.mean()
    match metric:
        case "dot":
            found = x @ y
        case "cosine" | "pearson":
            norms = np.sqrt((x @ x) * (y @ y))
            found = x @ y / norms if norms > 1e-12 else 0.0
        case "msd":
            found = 1 / (((x - y) ** 2).mean() + 1)
        case "euclidean":
            found = -np.sqrt(((x - y) ** 2).sum())
        case "manhattan":
            found = -np.abs(x - y).sum()
        case "jaccard":
            found = n / (had_x | had_y).sum()
    if how["shrinkage"] > 0:
        support = n - how["shrink_from"]
        found *= max(0, support) / (max(0, support) + how["shrinkage"])
    return found


def find(queries, rows, how):
    """Weights of the rows near to each query, the largest first; both dense, NaN where a row has no entry."""
    counts, sums = (~np.isnan(rows)).sum(0), np.nansum(rows, 0)
    lengths, mean_length = lambda table: np.nansum(table, 1, keepdims=True), np.nansum(rows) / len(rows)
    idf = np.maximum(0, np.log(len(rows)) - np.log1p(counts))
    with np.errstate(divide="ignore", invalid="ignore"):
        match how["weighting"]:
            case "tf-idf":
                weigh = lambda t: np.sqrt(t) * idf
            case "bm25":
                k1, b = how["bm25_k1"], how["bm25_b"]
                weigh = lambda t: t * (k1 + 1) / (k1 * (1 - b + b * lengths(t) / mean_length) + t) * idf
            case "rp3beta":
                a = how["rp3_alpha"]
                weigh = lambda t: t**a * np.where(sums > 0, sums, 1) ** (-a / 2) * lengths(t) ** -a
            case _:
                weigh = lambda t: t
        scale = lengths(queries).ravel() ** (how["rp3_alpha"] - how["rp3_beta"])
        queries, rows = weigh(queries), weigh(rows)
    had, out = ~np.isnan(rows), []
    columns = np.nansum(rows, 0) / np.maximum(counts, 1)
    for q, query in enumerate(queries):
        there = ~np.isnan(query)
        found = [(similarity(query, there, row, had[r], how, columns), -r) for r, row in enumerate(rows)]
        distance = how["similarity"] in ("euclidean", "manhattan")
        found = sorted(((s, r) for s, r in found if s is not None and (distance or s > 0)), reverse=True)
        found = found[: how["neighbors"] or None]
        weights = {-r: 1 / (1 - s) if distance else s * (scale[q] if how["weighting"] == "rp3beta" else 1) for s, r in found}
        total = sum(weights.values()) if how["normalize_weights"] else 1
        out.append({row: weight / total for row, weight in weights.items()})
    return out
