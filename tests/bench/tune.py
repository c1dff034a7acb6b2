#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How defaults and configs were chosen: each setting of a grid is trained on each real data set of a study by
kindred-train, other keys being defaults, judged on the validation part (10 % of each user's interactions; another 10 % stay unseen,
for Gowalla the published test part), and told as its normalized regret, the share that it loses against the set's best
setting. The setting with the least mean regret is the default.

tests/bench/tune.py STUDY [--results FILE]     STUDY: ials, hu-koren, counts, explicit, weightings or rp3beta
FILE (JSON lines) keeps what has been trained: a second call goes on from there. Prints Markdown tables.
"""
import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import report

DATA = {
    "ml-latest-small": 'interactions = "data/ml-latest-small/ratings.csv"',
    "gowalla": 'format = "adjacency"\n[split]\nprotocol = "files"\nvalidation = 0.1\n'
               'files = { train = "data/gowalla/train.txt" }',
    "retailrocket": 'interactions = [\n'
                    '  { file = "data/retailrocket/view_ecommerce.dat", event = "view" },\n'
                    '  { file = "data/retailrocket/add_to_cart_ecommerce.dat", event = "cart" },\n'
                    '  { file = "data/retailrocket/purchase_ecommerce.dat", event = "purchase" }]\n'
                    'columns = { user = "visitorid", item = "itemid" }\n'
                    'events = { view = 1, cart = 3, purchase = 10 }',
    "hetrec-lastfm-2k": 'interactions = "data/hetrec-lastfm-2k/user_artists.dat"\n'
                        'columns = { user = "userID", item = "artistID", value = "weight" }',
}
GOWALLA_KNN = ("ndcg@20", ["gowalla"])
REGULARIZATION = [0.0003, 0.001, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1]
STUDIES = {  # the metric, the data sets, the settings that all runs have, the grid
    "ials": ("ndcg@10", list(DATA), {},
             {"model.regularization": REGULARIZATION,
              "model.unobserved_weight": [0.003, 0.01, 0.03, 0.05, 0.1, 0.3]}),
    "hu-koren": ("ndcg@10", list(DATA), {"model.objective": '"hu-koren"'},
                 {"model.regularization": [0.0003, 0.001, 0.003, 0.01, 0.03]}),
    "counts": ("ndcg@10", ["retailrocket", "hetrec-lastfm-2k"], {"model.confidence": '"log"'},
               {"model.alpha": [0, 0.1, 0.3, 1, 3], "model.unobserved_weight": [0.03, 0.1, 0.3],
                "model.regularization": [0.003, 0.01, 0.03]}),
    "weightings": (*GOWALLA_KNN, {"model.type": '"item-knn"'},
                   {"model.weighting": ['"none"', '"tf-idf"', '"bm25"', '"rp3beta"'],
                    "model.normalize_weights": ['"none"', '"l1"'], "model.shrinkage": [0, 10],
                    "model.neighbors": [100, 300]}),
    "rp3beta": (*GOWALLA_KNN, {"model.type": '"item-knn"', "model.weighting": '"rp3beta"', "model.neighbors": 300},
                {"model.rp3_alpha": [0.5, 0.75, 1.0], "model.rp3_beta": [0.2, 0.3, 0.4, 0.5]}),
    "explicit": ("rmse", ["ml-latest-small"], {"model.feedback": '"explicit"'},
                 {"model.regularization": [0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2]}),
}


def train(data, metric, settings, folder):
    """The metric after the last epoch, on validation."""
    config = Path(folder) / "tune.toml"
    config.write_text(f"[data]\n{DATA[data]}\n".replace('"data/', f'"{report.ROOT}/data/'))
    command = [report.BIN / "kindred-train", config, "--quiet", "--force", "--out", f"{folder}/run"]
    settings = settings | {"evaluate.metrics": f'["{metric}"]', "evaluate.every": 100000, "evaluate.test_users": 1}
    if "model.type" not in settings:  # als
        settings |= {"train.loss": '"last"', "export.history": '"none"'}
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((Path(folder) / "run/metrics.json").read_text())["validation"][metric]["mean"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--results", type=Path, help="JSON lines that are kept between calls")
    parser.add_argument("--sets", default=",".join(DATA), help="the data sets, of those that the study has")
    options = parser.parse_args()
    metric, sets, fixed, grid = STUDIES[options.study]
    sets = [name for name in sets if name in options.sets.split(",")]
    settings = list(itertools.product(*grid.values()))

    results = report.Results(options.results)
    known = {(e["study"], e["set"], tuple(e["setting"])): e["value"] for e in results.entries}
    with tempfile.TemporaryDirectory() as folder:
        for name, setting in itertools.product(sets, settings):
            if (options.study, name, setting) in known:
                continue
            value = train(name, metric, fixed | dict(zip(grid, setting)), folder)
            known[options.study, name, setting] = value
            print(name, *setting, f"{value:.4f}", file=sys.stderr, flush=True)
            results.add({"study": options.study, "set": name, "setting": setting, "value": value})

    better = min if metric == "rmse" else max
    best = {name: better(settings, key=lambda s: known[options.study, name, s]) for name in sets}
    value = lambda name, setting: known[options.study, name, setting]
    regret = lambda name, setting: abs(1 - value(name, setting) / value(name, best[name]))
    mean = lambda setting: sum(regret(name, setting) for name in sets) / len(sets)
    short = [key.split(".")[1] for key in grid]
    print(f"Least mean regret in {metric} on validation:\n")
    print(report.table(short + ["mean regret"] + sets,
                [(*s, f"{mean(s):.1%}", *(f"{value(name, s):.4f} ({regret(name, s):.1%})" for name in sets))
                 for s in sorted(settings, key=mean)[:8]]))
    print("\nEach set's own best:\n")
    print(report.table(["set"] + short + [metric], [(name, *best[name], f"{value(name, best[name]):.4f}") for name in sets]))
    if len(grid) == 2:
        rows, columns = grid.values()
        print(f"\nMean regret of the whole grid ({short[0]} by {short[1]}):\n")
        print(report.table([""] + list(columns), [(r, *(f"{mean((r, c)):.1%}" for c in columns)) for r in rows]))


if __name__ == "__main__":
    main()
