# SPDX-License-Identifier: Apache-2.0
"""Scores of given pairs, from the model file alone: as kindred-topk MODEL --score PAIRS.csv.

    python score.py runs/movielens-als pairs.csv        # a header with user and item, or userId and movieId …
"""
import csv
import sys

from model import Model

USER, ITEM = {"user", "userid"}, {"item", "itemid", "movieid"}


def main(path, pairs):
    model = Model(path)
    with open(pairs, newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        user_column, item_column = (
            next(name for name in rows.fieldnames if name.lower().replace("_", "") in names) for names in (USER, ITEM)
        )
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(["user", "item", "score"])
        for row in rows:
            user, item = model.user_row.get(row[user_column]), model.item_row.get(row[item_column])
            raw = model.unknown_item if item is None else 0.0  # what else is not known adds nothing
            if item is not None:
                raw += model.item_bias[item]
            if user is not None and item is not None:
                if model.neighbors:
                    raw += model.neighbors.raw(model.neighbors.sources(user))[0][item]
                else:
                    raw += model.x[user] @ model.y[item]
            out.writerow([row[user_column], row[item_column], model.finish(raw, user)])


if __name__ == "__main__":
    main(*sys.argv[1:])
