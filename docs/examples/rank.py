# SPDX-License-Identifier: Apache-2.0
"""The best items for users, from the model file alone: as kindred-topk MODEL --users 1,2 -k 10 --format csv.

    python rank.py runs/movielens-als 1,2 10
"""
import csv
import sys

from model import Model


def main(path, users, k=10):
    model = Model(path)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["user", "rank", "item", "score"])
    for name in users.split(","):
        user = model.user_row[name]
        scores = model.scores(user)
        for rank, item in enumerate(model.best(scores, model.had(user), int(k)), 1):
            out.writerow([name, rank, model.items[item], scores[item]])


if __name__ == "__main__":
    main(*sys.argv[1:])
