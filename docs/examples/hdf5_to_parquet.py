# SPDX-License-Identifier: Apache-2.0
"""Kindred's HDF5 as Parquet (pip install pyarrow h5py), streaming: interactions (kindred-data convert … x.h5), or the
lists that kindred-topk --to lists.h5 writes.

    python hdf5_to_parquet.py ratings.h5 ratings.parquet
    python hdf5_to_parquet.py lists.h5 lists.parquet
"""
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROLES = ("user", "item", "value", "time", "event")
ROWS = 1 << 18


def texts(values):
    return pa.array([v.decode() if isinstance(v, bytes) else str(v) for v in values]) if values.dtype.kind in "SO" else (
        pa.array(values))


def interactions(file):
    """Batches of rows as columns."""
    roles = [role for role in ROLES if role in file]
    for begin in range(0, len(file["user"]), ROWS):
        yield {role: texts(file[role][begin : begin + ROWS]) for role in roles}


def lists(file):
    """Batches of rows user, rank, item, score; lists that end early are shorter."""
    users, items = file["users/ids"], file["items/ids"][()]
    rows, scores = file["recommendations/rows"], file["recommendations/scores"]
    k = rows.shape[1]
    for begin in range(0, len(users), max(1, ROWS // k)):
        part = slice(begin, begin + max(1, ROWS // k))
        found = rows[part]
        there = found.ravel() >= 0
        yield {
            "user": texts(np.repeat(users[part], k)[there]),
            "rank": pa.array(np.tile(np.arange(1, k + 1, dtype=np.int32), len(found))[there]),
            "item": texts(items[found.ravel()[there]]),
            "score": pa.array(scores[part].ravel()[there]),
        }


def main(source, target):
    writer = None
    with h5py.File(source) as file:
        for columns in lists(file) if "recommendations" in file else interactions(file):
            table = pa.table(columns)
            writer = writer or pq.ParquetWriter(target, table.schema)
            writer.write_table(table)
    if writer:
        writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
