# SPDX-License-Identifier: Apache-2.0
"""A Parquet file as columns in HDF5, which Kindred reads with format = "hdf5" (pip install pyarrow h5py). Streaming: a
batch of rows is in memory at a time.

    python parquet_to_hdf5.py ratings.parquet ratings.h5 user=userId item=movieId value=rating time=timestamp
"""
import sys

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROLES = ("user", "item", "value", "time", "event")
ROWS = 1 << 18


def as_numpy(role, column):
    """Ids and events: int64 or UTF-8; values: float32; times: microseconds, or Unix numbers as they are."""
    if column.null_count:
        raise SystemExit(f"{role}: {column.null_count} empty cells; fill or drop them first")
    if role == "value":
        return column.cast(pa.float32()).to_numpy(zero_copy_only=False)
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if role == "time" and pa.types.is_floating(column.type):
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if role == "event" or pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([str(value) for value in column.to_pylist()], dtype=object)
    raise SystemExit(f"{role}: expected whole numbers or text, found {column.type}")


def main(source, target, *columns):
    names = dict(entry.split("=", 1) for entry in columns)
    unknown = [role for role in names if role not in ROLES]
    if unknown or not {"user", "item"} <= set(names):
        raise SystemExit(f"expected user=COLUMN item=COLUMN and if there are any {', '.join(ROLES[2:])}")
    file = pq.ParquetFile(source)
    with h5py.File(target, "w") as out:
        for batch in file.iter_batches(ROWS, columns=list(names.values())):
            for role, name in names.items():
                rows = as_numpy(role, batch.column(batch.schema.get_field_index(name)))
                if role not in out:
                    kind = h5py.string_dtype() if rows.dtype == object else rows.dtype
                    out.create_dataset(role, (0,), kind, maxshape=(None,), chunks=(ROWS,), compression="gzip",
                                       compression_opts=1, shuffle=rows.dtype != object)
                out[role].resize(len(out[role]) + len(rows), axis=0)
                out[role][-len(rows):] = rows
        print(f"{target}: {len(out['user'])} rows of {', '.join(names)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
