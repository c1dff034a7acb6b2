# SPDX-License-Identifier: Apache-2.0
"""One table of artists with their most given tags from hetrec-lastfm-2k, whose tags lie in two files of their own.

    python3 docs/examples/lastfm_artists.py data/hetrec-lastfm-2k data/lastfm-artists.csv
"""
import collections
import csv
import pathlib
import sys

MOST = 5  # tags an artist


def rows(path, encoding):
    with open(path, encoding=encoding, newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def main(folder, target):
    folder = pathlib.Path(folder)
    names = {row["tagID"]: row["tagValue"].strip().replace("|", "/") for row in rows(folder / "tags.dat", "latin-1")}
    given = collections.defaultdict(collections.Counter)
    for row in rows(folder / "user_taggedartists.dat", "utf-8"):
        given[row["artistID"]][names[row["tagID"]]] += 1
    with open(target, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["artist", "name", "tags"])
        for row in rows(folder / "artists.dat", "utf-8"):
            most = sorted(given[row["id"]].items(), key=lambda tag: (-tag[1], tag[0]))[:MOST]
            out.writerow([row["id"], row["name"], "|".join(tag for tag, _ in most)])


if __name__ == "__main__":
    main(*sys.argv[1:])
