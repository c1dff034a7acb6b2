#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RMSE of neighborhood models beside Surprise's KNNBasic, KNNWithMeans and KNNBaseline on the same five folds of
ml-latest-small, with equal settings: every neighbor is kept, the 40 most similar that have a value are used, predictions
are not clipped. Test pairs whose film is in no row of train are left to neither.

build/peers/bin/python tests/bench/peers/knn_surprise.py [--results FILE] [--write docs/measurements/accuracy-knn.md]
--results FILE keeps what has been computed: a second call goes on from there.
"""
import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]
import report

FOLDS, USED = 5, 40
MODELS = {  # Surprise's class and options; ours
    "KNNBasic": {},
    "KNNWithMeans": {"item": "item-mean", "user": "user-mean"},
    "KNNBaseline": {"item": "baseline", "user": "baseline"},
}
SIMILARITIES = [("user", "cosine"), ("user", "msd"), ("user", "pearson"), ("item", "cosine"), ("item", "msd")]


def folds(folder):
    """Files of train and test: a seeded permutation of the rows, cut in five, each part in the order of the file."""
    import numpy as np

    rows = (report.ROOT / "data/ml-latest-small/ratings.csv").read_text().splitlines()
    rows, order = [row.rsplit(",", 1)[0] for row in rows], np.random.default_rng(0).permutation(len(rows) - 1) + 1
    for fold in range(FOLDS):
        test = set(order[fold::FOLDS])
        for name, wanted in [("train", lambda r: r not in test), ("test", lambda r: r in test)]:
            lines = [row for r, row in enumerate(rows) if r == 0 or wanted(r)]
            Path(folder, f"{name}{fold}.csv").write_text("\n".join(lines) + "\n")


def pairs(path):
    with open(path) as file:
        return [(row["userId"], row["movieId"], float(row["rating"])) for row in csv.DictReader(file)]


def ours(folder, fold, model, side, similarity):
    Path(folder, "c.toml").write_text(
        f'[split]\nprotocol = "files"\nfiles = {{ train = "train{fold}.csv", test = "test{fold}.csv" }}\n'
        f'[model]\ntype = "{side}-knn"\nsimilarity = "{similarity}"\nmissing = "ignore"\nneighbors = "all"\n'
        f'neighbors_used = {USED}\nprediction = "weighted-average"\ncenter = "{MODELS[model].get(side, "none")}"\n'
        '[evaluate]\nmetrics = ["rmse"]\n')
    subprocess.run([report.BIN / "kindred-train", f"{folder}/c.toml", "--out", f"{folder}/run", "--force", "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    return json.loads(Path(folder, "run/metrics.json").read_text())["test"]["rmse"]["mean"]


def theirs(folder, fold, model, side, similarity):
    import numpy as np
    import surprise

    train = pairs(f"{folder}/train{fold}.csv")
    known = {item for _, item, _ in train}
    data = surprise.Dataset.load_from_file(f"{folder}/train{fold}.csv", surprise.Reader(
        line_format="user item rating", sep=",", skip_lines=1, rating_scale=(0.5, 5))).build_full_trainset()
    algorithm = getattr(surprise, model)(
        k=USED, verbose=False, sim_options={"name": similarity, "user_based": side == "user"}).fit(data)
    errors = [algorithm.predict(user, item, clip=False).est - value
              for user, item, value in pairs(f"{folder}/test{fold}.csv") if item in known]
    return float(np.sqrt(np.mean(np.square(errors))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="JSON lines that are kept between calls")
    parser.add_argument("--write", help="a page of docs/measurements")
    options = parser.parse_args()
    results = report.Results(options.results)
    with tempfile.TemporaryDirectory() as folder:
        folds(folder)
        for side, similarity in SIMILARITIES:
            for model in MODELS:
                for fold in range(FOLDS):
                    key = {"side": side, "similarity": similarity, "model": model, "fold": fold}
                    if not results.of(**key):
                        results.add(key | {"ours": ours(folder, fold, model, side, similarity),
                                           "theirs": theirs(folder, fold, model, side, similarity)})
    rows = []
    for side, similarity in SIMILARITIES:
        for model in MODELS:
            found = results.of(side=side, similarity=similarity, model=model)
            mean = lambda of: sum(e[of] for e in found) / len(found)
            gap = max(abs(e["ours"] - e["theirs"]) for e in found)
            rows.append((f"{model}, {side}s", similarity, f"{mean('ours'):.4f}", f"{mean('theirs'):.4f}", f"{gap:.0e}"))
    told = report.provenance(2, "build/peers/bin/python tests/bench/peers/knn_surprise.py")
    body = (f"{told}\n\nRMSE, mean of five folds of ml-latest-small, with `neighbors = \"all\"`, "
            f"`neighbors_used = {USED}`, `missing = \"ignore\"`,\n`prediction = \"weighted-average\"` and the class's "
            "`center`; predictions are not clipped. The last column is the largest gap of any fold.\n\n"
            + report.table(["Surprise's model", "similarity", "Kindred", "Surprise", "gap"], rows))
    if options.write:
        report.write_page(options.write, "Accuracy of neighborhood models", body)
    print(body)


if __name__ == "__main__":
    main()
