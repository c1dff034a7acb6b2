# SPDX-License-Identifier: Apache-2.0
"""Implicit ALS: kindred_als_epochs against the PyPI package `implicit`, from the same first factors, with the same
confidence c = 2, regularization and number of epochs; interleaved pairs of processes, each half's best epoch counts.

build/peers/bin/python tests/bench/peers/als_implicit.py [--runs cg:64,cg:128,cg:256,exact:64,exact:128] [--pairs 5]
    [--folder DIR] [--write PAGE]
A folder keeps data, factors and times between calls, so that pairs may be run one at a time (--runs cg:64 --pairs 1);
--pairs 0 then prints the table. The losses are computed here, in NumPy, from both halves' last factors.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import report

REGULARIZATION = 0.01  # implicit's default
EPOCHS = {("cg", 64): 3, ("cg", 128): 3, ("cg", 256): 2, ("exact", 64): 2, ("exact", 128): 1}


def peer(folder, factors, exact, epochs, threads, out):
    """The other half, in a process of its own; prints what kindred_als_epochs prints."""
    import numpy as np
    import scipy.sparse
    from implicit.cpu.als import AlternatingLeastSquares

    offsets, indices, values, x, y = load(folder, factors)
    model = AlternatingLeastSquares(factors=factors, regularization=REGULARIZATION, alpha=1.0, use_cg=not exact,
                                    iterations=epochs, num_threads=threads, dtype=np.float32)
    model.user_factors, model.item_factors = x, y
    seconds = []
    model.fit(scipy.sparse.csr_matrix((values, indices, offsets), shape=(len(x), len(y))), show_progress=False,
              callback=lambda _, elapsed, *rest: seconds.append(elapsed))
    Path(out).mkdir(exist_ok=True)
    model.user_factors.tofile(f"{out}/users.f32")
    model.item_factors.tofile(f"{out}/items.f32")
    print(json.dumps({"seconds": [[s] for s in seconds]}))


def prepare(folder, runs, scale):
    """The matrix and each size's first factors, where the folder does not have them."""
    import numpy as np
    from als_data import ITEMS, generate

    if not (folder / "values.f32").exists():
        offsets, indices = generate(int(138_493 * scale))
        offsets.tofile(folder / "offsets.i64")
        indices.tofile(folder / "indices.i32")
        np.full(len(indices), 2, np.float32).tofile(folder / "values.f32")
    users = (folder / "offsets.i64").stat().st_size // 8 - 1
    for factors in {factors for _, factors in runs}:
        start = folder / str(factors)
        if start.exists():
            continue
        start.mkdir()
        draw = np.random.default_rng(1)
        for name, count in (("users", users), ("items", ITEMS)):
            (draw.random((count, factors), np.float32) * 0.01).tofile(start / f"{name}.f32")
        for name in ("offsets.i64", "indices.i32", "values.f32"):
            (start / name).symlink_to(f"../{name}")


def load(folder, factors, tables=None):
    import numpy as np

    x, y = (np.fromfile(f"{tables or folder}/{name}.f32", np.float32).reshape(-1, factors)
            for name in ("users", "items"))
    return (np.fromfile(f"{folder}/offsets.i64", np.int64), np.fromfile(f"{folder}/indices.i32", np.int32),
            np.fromfile(f"{folder}/values.f32", np.float32), x, y)


def loss(folder, factors, tables):
    """sum over observed c (1 - s)^2 + sum over the others s^2 + regularization (|X|^2 + |Y|^2)."""
    import numpy as np

    offsets, indices, values, x, y = load(folder, factors, tables)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    total = ((wide_x.T @ wide_x) * (wide_y.T @ wide_y)).sum()
    total += REGULARIZATION * ((wide_x**2).sum() + (wide_y**2).sum())
    users = np.repeat(np.arange(len(x), dtype=np.int32), np.diff(offsets))
    for begin in range(0, len(indices), 1 << 18):
        part = slice(begin, begin + (1 << 18))
        score = np.einsum("ed,ed->e", x[users[part]], y[indices[part]]).astype(np.float64)
        total += (values[part] * (1 - score) ** 2 - score**2).sum()
    return total


def half(command):
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    # OpenBLAS takes AMD processors with AVX-512 for ones without.
    if "AMD" in report.cpu_name() and "avx512f" in open("/proc/cpuinfo").read():
        env["OPENBLAS_CORETYPE"] = "SkylakeX"
    found = subprocess.run(list(map(str, command)), env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = json.loads(found.strip().splitlines()[-1])
    return min(map(sum, found["seconds"])), found


def run_pair(folder, solver, factors, threads):
    start, epochs = folder / str(factors), EPOCHS.get((solver, factors), 1)
    mine, found = half([report.BIN / "kindred_als_epochs", start, factors, "cg" if solver == "cg" else "auto",
                        REGULARIZATION, epochs, threads, start / f"{solver}-kindred"])
    theirs, _ = half([sys.executable, __file__, "--peer", start, factors, solver, epochs, threads,
                      start / f"{solver}-implicit"])
    return {"run": f"{solver}:{factors}", "kindred": mine, "implicit": theirs,
            "memory": int(found["peak_memory"].split()[0]) // 1024}


def row(folder, solver, factors, pairs):
    start = folder / str(factors)
    mine, theirs = [p["kindred"] for p in pairs], [p["implicit"] for p in pairs]
    losses = (f"{loss(start, factors, start / f'{solver}-{who}'):.6g}" for who in ("kindred", "implicit"))
    return (solver, factors, len(pairs), f"{min(mine):.2f}", f"{min(theirs):.2f}", report.ratio(mine, theirs),
            EPOCHS.get((solver, factors), 1), *losses, f"{pairs[-1]['memory']} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default="cg:64,cg:128,cg:256,exact:64,exact:128")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1, help="part of the users")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="keeps data and results")
    parser.add_argument("--write", help="a page of docs/measurements")
    parser.add_argument("--peer", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        folder, factors, solver, epochs, threads, out = options.peer
        return peer(folder, int(factors), solver == "exact", int(epochs), int(threads), out)
    try:
        import implicit
        import numpy as np
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    runs = [(solver, int(factors)) for solver, factors in (run.split(":") for run in options.runs.split(","))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, runs, options.scale)
        results = report.Results(folder / "pairs.jsonl")
        for solver, factors in runs:
            for _ in range(options.pairs):
                results.add(run_pair(folder, solver, factors, options.threads))
                print(results.entries[-1], file=sys.stderr, flush=True)
        if options.pairs == 1:
            return 0
        offsets = np.fromfile(folder / "offsets.i64", np.int64)
        rows = [row(folder, solver, factors, pairs) for solver, factors in runs
                if (pairs := results.of(run=f"{solver}:{factors}"))]
    body = "\n".join([
        report.provenance(options.threads, "build/peers/bin/python tests/bench/peers/als_implicit.py"),
        "",
        f"{len(offsets) - 1:,} x 26,744, {offsets[-1]:,} entries (`als_data.py`); c = 2, regularization "
        f"{REGULARIZATION}; implicit {implicit.__version__}, 'cg' with its default of 3 steps against 2 of ours, "
        "'exact' is `use_cg=False` against `solver = \"auto\"`. Interleaved pairs of processes; seconds of the best "
        "epoch, both sides, without the loss; ratio of minima (pair by pair).",
        "",
        report.table(("solver", "d", "pairs", "Kindred, s", "implicit, s", "ratio", "epochs", "our loss", "its loss",
                      "our peak memory"), rows)])
    print(body)
    if options.write:
        report.write_page(options.write, "ALS against implicit", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
