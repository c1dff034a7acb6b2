# SPDX-License-Identifier: Apache-2.0
"""Implicit ALS: kindred_als_epochs against the PyPI package `implicit`, from the same first factors, with the same
confidence c = 2, regularization and number of epochs; interleaved pairs of processes, each half's best epoch counts.

build/peers/bin/python tests/bench/peers/als_implicit.py [--runs cg:64,cg:128,cg:256,exact:64,exact:128] [--pairs 5]
Prints a Markdown table; --write FILE writes it. The losses are computed here, in NumPy, from both halves' factors.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
REGULARIZATION = 0.01  # implicit's default
EPOCHS = {("cg", 64): 3, ("cg", 128): 3, ("cg", 256): 2, ("exact", 64): 2, ("exact", 128): 1}


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown CPU"


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


def load(folder, factors):
    import numpy as np

    tables = [np.fromfile(f"{folder}/{name}.f32", np.float32).reshape(-1, factors) for name in ("users", "items")]
    return (np.fromfile(f"{folder}/offsets.i64", np.int64), np.fromfile(f"{folder}/indices.i32", np.int32),
            np.fromfile(f"{folder}/values.f32", np.float32), *tables)


def loss(folder, out, factors):
    """sum over observed c (1 - s)^2 + sum over the others s^2 + regularization (|X|^2 + |Y|^2)."""
    import numpy as np

    offsets, indices, values, _, _ = load(folder, factors)
    x = np.fromfile(f"{out}/users.f32", np.float32).reshape(-1, factors)
    y = np.fromfile(f"{out}/items.f32", np.float32).reshape(-1, factors)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    total = ((wide_x.T @ wide_x) * (wide_y.T @ wide_y)).sum()
    total += REGULARIZATION * ((wide_x**2).sum() + (wide_y**2).sum())
    users = np.repeat(np.arange(len(x), dtype=np.int32), np.diff(offsets))
    for begin in range(0, len(indices), 1 << 18):
        part = slice(begin, begin + (1 << 18))
        score = np.einsum("ed,ed->e", x[users[part]], y[indices[part]]).astype(np.float64)
        total += (values[part] * (1 - score) ** 2 - score**2).sum()
    return total


def half(command, wrap):
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    # OpenBLAS takes AMD processors with AVX-512 for ones without.
    if "AMD" in cpu_name() and "avx512f" in open("/proc/cpuinfo").read():
        env["OPENBLAS_CORETYPE"] = "SkylakeX"
    found = subprocess.run(wrap + command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(found.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="cg:64,cg:128,cg:256,exact:64,exact:128")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1, help="part of the users")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--wrap", default="", help="a command that each half is run by")
    parser.add_argument("--write")
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
    sys.path.insert(0, str(Path(__file__).parent))
    from als_data import ITEMS, generate

    ours = os.path.join(os.environ.get("KINDRED_BIN", ROOT / "build/release/bin"), "kindred_als_epochs")
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        offsets, indices = generate(int(138_493 * options.scale))
        offsets.tofile(f"{folder}/offsets.i64")
        indices.tofile(f"{folder}/indices.i32")
        np.full(len(indices), 2, np.float32).tofile(f"{folder}/values.f32")
        for run in options.runs.split(","):
            solver, factors = run.split(":")
            epochs = EPOCHS.get((solver, int(factors)), 1)
            draw = np.random.default_rng(1)
            for name, count in (("users", len(offsets) - 1), ("items", ITEMS)):
                (draw.random((count, int(factors)), np.float32) * 0.01).tofile(f"{folder}/{name}.f32")
            mine, theirs, memory = [], [], ""
            wrap = shlex.split(options.wrap)
            for _ in range(options.pairs):
                result = half([ours, folder, factors, "cg" if solver == "cg" else "auto", str(REGULARIZATION),
                               str(epochs), str(options.threads), f"{folder}/mine"], wrap)
                mine.append(min(map(sum, result["seconds"])))
                memory = int(result["peak_memory"].split()[0]) // 1024
                result = half([sys.executable, __file__, "--peer", folder, factors, solver, str(epochs),
                               str(options.threads), f"{folder}/theirs"], wrap)
                theirs.append(min(map(sum, result["seconds"])))
            losses = [loss(folder, f"{folder}/{side}", int(factors)) for side in ("mine", "theirs")]
            ratios = sorted(b / a for a, b in zip(mine, theirs))
            lines.append(f"| {solver} | {factors} | {options.pairs} | {min(mine):.2f} | {min(theirs):.2f} | "
                         f"**{min(theirs) / min(mine):.1f}** ({ratios[0]:.1f} to {ratios[-1]:.1f}) | {epochs} | "
                         f"{losses[0]:.6g} | {losses[1]:.6g} | {memory} MiB |")
            print(lines[-1], flush=True)
    table = "\n".join([
        f"{len(offsets) - 1:,} x {ITEMS:,}, {len(indices):,} entries (`als_data.py`); c = 2, regularization "
        f"{REGULARIZATION}; {cpu_name()}, {options.threads} threads; implicit {implicit.__version__}, 'cg' with its "
        "default of 3 steps against 2 of ours, 'exact' is `use_cg=False` against `solver = \"auto\"`.",
        "Seconds are of the best epoch, both sides, without the loss; ratio of minima (pair by pair).",
        "",
        "| solver | d | pairs | Kindred, s | implicit, s | ratio | epochs | our loss | its loss | our peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *lines,
    ])
    print(table)
    if options.write:
        Path(options.write).write_text(f"# ALS against implicit\nWritten by `tests/bench/peers/als_implicit.py`.\n\n{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
