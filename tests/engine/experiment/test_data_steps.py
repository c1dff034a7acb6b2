# SPDX-License-Identifier: Apache-2.0
"""The data steps on real data, and normalization from the config to the model file, against NumPy."""
import json

import h5py
import numpy as np
import pytest


def history(model):
    """(user, item) -> value, from the model file."""
    with h5py.File(model) as file:
        users, items = file["users/ids"][()], file["items/ids"][()]
        indptr, indices, data = (file["history"][part][()] for part in ("indptr", "indices", "data"))
    rows = np.repeat(np.arange(len(users)), np.diff(indptr))
    return {(users[u], items[i]): value for u, i, value in zip(rows, indices, data)}


def ratings(path):
    return np.loadtxt(path, delimiter=",", skiprows=1)


def fit(run, folder, config, *settings):
    (folder / "c.toml").write_text(config)
    changes = [f"--set={setting}" for setting in settings]
    return run("kindred-train", folder / "c.toml", "--out", folder / "run", "--force", "--device", "cpu", *changes)


def test_lastfm_counts_above_a_least(run, need, tmp_path):
    path = need("hetrec-lastfm-2k") / "user_artists.dat"
    fit(run, tmp_path, f'''
[data]
interactions = "{path.resolve()}"
columns = {{ user = "userID", item = "artistID", value = "weight" }}
min_value = 100
min_user_interactions = 5
min_item_interactions = 3
[split]
protocol = "none"
[model]
type = "popularity"
''')
    kept = [tuple(row) for row in np.loadtxt(path, skiprows=1, dtype=int) if row[2] >= 100]
    while True:
        users, items = {}, {}
        for user, item, _ in kept:
            users[user] = users.get(user, 0) + 1
            items[item] = items.get(item, 0) + 1
        left = [row for row in kept if users[row[0]] >= 5 and items[row[1]] >= 3]
        if len(left) == len(kept):
            break
        kept = left
    assert 0 < len(kept) < 92_834
    assert history(tmp_path / "run/model.h5") == {(user, item): value for user, item, value in kept}


def test_retailrocket_events_have_weights(run, need, tmp_path):
    shop = need("retailrocket")
    weights, kinds = {"view": 1.0, "add_to_cart": 3.5, "purchase": 10.0}, {}
    with open(tmp_path / "events.csv", "w", encoding="utf-8") as out:
        out.write("visitorid,itemid,kind\n")
        for kind in weights:
            lines = (shop / f"{kind}_ecommerce.dat").read_text().splitlines()
            columns = lines[0].split("\t")
            user_at, item_at = columns.index("visitorid"), columns.index("itemid")
            for line in lines[1:]:
                user, item = line.split("\t")[user_at], line.split("\t")[item_at]
                out.write(f"{user},{item},{kind}\n")
                pair = int(user), int(item)
                kinds[pair] = kinds.get(pair, 0) + weights[kind]
    fit(run, tmp_path, '''
[data]
interactions = "events.csv"
columns = { user = "visitorid", item = "itemid" }
events = { view = 1, add_to_cart = 3.5, purchase = 10 }
[split]
protocol = "none"
[model]
type = "popularity"
''')
    assert history(tmp_path / "run/model.h5") == kinds  # multiples of a half: exact


@pytest.mark.parametrize("method", ["subtract-user-mean", "subtract-item-mean", "z-score", "baseline"])
def test_movielens_rmse_is_on_the_scale_of_stars(run, need, tmp_path, method):
    """A model without factors' help (huge regularization) predicts what the normalization took off, from train alone."""
    movies = need("ml-latest-small")
    fit(run, tmp_path, f'''
[data]
interactions = "{(movies / "ratings.csv").resolve()}"
normalize = "{method}"
[split]
validation = 0.0
[model]
feedback = "explicit"
biases = false
factors = 1
regularization = 1e9
[train]
epochs = 1
[evaluate]
metrics = ["rmse"]
''')
    with h5py.File(tmp_path / "run/model.h5") as file:
        shape = len(file["users/ids"]), len(file["items/ids"])

        def dense(name):
            indptr, indices, data = (file[name][part][()] for part in ("indptr", "indices", "data"))
            return np.repeat(np.arange(shape[0]), np.diff(indptr)), indices, data.astype(float)

        (u, i, r), (tu, ti, tr) = dense("history"), dense("held_out/test")
        residual_mean = float(file.attrs["global_mean"])
    # The statistics once more, from train's pairs.
    mean, n_u, n_i = r.mean(), np.bincount(u, minlength=shape[0]), np.bincount(i, minlength=shape[1])
    user_mean = np.bincount(u, r, shape[0]) / n_u
    item_mean = np.divide(np.bincount(i, r, shape[1]), n_i, out=np.full(shape[1], mean), where=n_i > 0)
    deviation = np.sqrt(np.bincount(u, (r - user_mean[u]) ** 2, shape[0]) / n_u)
    deviation[deviation == 0] = r.std()
    b_u, b_i = np.zeros(shape[0]), np.zeros(shape[1])
    for _ in range(10):
        b_i = np.bincount(i, r - mean - b_u[u], shape[1]) / (10 + n_i)
        b_u = np.bincount(u, r - mean - b_i[i], shape[0]) / (15 + n_u)
    expected = {
        "subtract-user-mean": user_mean[tu] + residual_mean,
        "subtract-item-mean": item_mean[ti] + residual_mean,
        "z-score": user_mean[tu] + deviation[tu] * residual_mean,
        "baseline": mean + b_u[tu] + b_i[ti] + residual_mean,
    }[method]
    found = json.loads((tmp_path / "run/metrics.json").read_text())["test"]["rmse"]["mean"]
    np.testing.assert_allclose(found, np.sqrt(np.mean((expected - tr) ** 2)), rtol=1e-5)
    assert 0.8 < found < 1.2  # stars


def test_history_and_means_keep_the_old_values(run, tmp_path):
    rows = [(u, i, (u * 7 + i * 3) % 5 + 1) for u in range(20) for i in range(15) if (u + i) % 3]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "".join(f"{u},{i},{r}\n" for u, i, r in rows))
    config = '[data]\ninteractions = "r.csv"\n[model]\nfeedback = "explicit"\nfactors = 2\n[train]\nrefit = "all"\n'
    fit(run, tmp_path, config, "data.normalize=z-score")
    assert history(tmp_path / "run/model.h5") == {(u, i): r for u, i, r in rows}
    with h5py.File(tmp_path / "run/model.h5") as file:
        means, user_means = file["items/mean"][()], file["users/offset"][()]
    np.testing.assert_allclose(means, [np.mean([r for _, i, r in rows if i == item]) for item in range(15)], rtol=1e-6)
    np.testing.assert_allclose(user_means, [np.mean([r for u, _, r in rows if u == user]) for user in range(20)], rtol=1e-6)


@pytest.mark.parametrize(
    "settings, says",
    [
        (["data.normalize=z-score"], "data.normalize: implicit feedback needs values of 0 and more"),
        (["data.normalize=baseline", "model.type=popularity"], "data.normalize: popularity counts interactions"),
        (["data.normalize=baseline", "model.type=bayesian-average"], "data.normalize: takes off the means of items"),
        (["data.normalize=z-score", "model.feedback=explicit", "data.binarize=true"],
         "data.normalize: data.binarize makes every value 1"),
        (["data.normalize=divide-user-mean"], "data.normalize: the interactions have no values"),
        (["data.utility=rating", "data.columns.value=rating"], "data.utility: gives the values"),
        (["data.min_value=9"], "data: no interaction is left"),
    ],
)
def test_what_makes_no_sense_is_one_line(run, tmp_path, settings, says):
    (tmp_path / "r.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u in range(9) for i in range(9)))
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "r.csv"\n')
    done = run("kindred-train", tmp_path / "c.toml", "--out", tmp_path / "run", "--quiet",
               *[f"--set={setting}" for setting in settings], code=2)
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()
