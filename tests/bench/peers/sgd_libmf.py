# SPDX-License-Identifier: Apache-2.0
"""Factorisation of ratings by stochastic gradient descent: kindred_sgd_rounds against libmf (its Python package), which
cuts the matrix into blocks too and has a rate a row. 20 million planted ratings of MovieLens-20M's shape, 1 % held out;
interleaved pairs of processes; each half's best epoch counts.

build/peers/bin/python tests/bench/peers/sgd_libmf.py [--factors 64,128] [--pairs 3] [--epochs 5] [--folder DIR]
    [--scale 1] [--write PAGE]
A folder keeps data and times between calls; --pairs 0 then prints the table. libmf tells no times of epochs: an epoch is
the difference between fits of 1 and of 1 + EPOCHS epochs, over EPOCHS.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import report

RATE, REGULARIZATION = 0.1, 0.04  # libmf's defaults
PLAIN_RATE = 0.02  # of plain descent, whose steps are not divided by what a row has seen


def prepare(folder, scale):
    import numpy as np
    from als_data import ITEMS, generate

    if (folder / "test_ratings.f32").exists():
        return
    offsets, items = generate(int(138_493 * scale))
    users = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    draw = np.random.default_rng(5)
    rank = 8
    p, q = draw.normal(size=(len(offsets) - 1, rank)) * 0.5, draw.normal(size=(ITEMS, rank)) * 0.5
    ratings = np.empty(len(items), np.float32)
    for begin in range(0, len(items), 1_000_000):
        part = slice(begin, begin + 1_000_000)
        ratings[part] = np.einsum("ek,ek->e", p[users[part]], q[items[part]])
    ratings += 3.5 + draw.normal(size=len(items)).astype(np.float32) * 0.5
    test = draw.random(len(items)) < 0.01
    for name, array in {"test_users.i32": users[test], "test_items.i32": items[test],
                        "test_ratings.f32": ratings[test], "indices.i32": items[~test], "ratings.f32": ratings[~test],
                        "users.i32": users[~test]}.items():
        array.tofile(folder / name)
    counts = np.bincount(users[~test], minlength=len(offsets) - 1)
    np.concatenate([[0], np.cumsum(counts)]).astype(np.int64).tofile(folder / "offsets.i64")


def peer(folder, factors, epochs, threads):
    """libmf in a process of its own: seconds of a fit, and the error on the held-out ratings."""
    import numpy as np
    from libmf import mf

    read = lambda name, kind: np.fromfile(f"{folder}/{name}", kind)
    data = np.column_stack([read("users.i32", np.int32), read("indices.i32", np.int32), read("ratings.f32", np.float32)])
    data = data.astype(np.float32)
    engine = mf.MF(k=factors, nr_threads=threads, nr_bins=26, nr_iters=epochs, lambda_p2=REGULARIZATION,
                   lambda_q2=REGULARIZATION, lambda_p1=0.0, lambda_q1=0.0, eta=RATE, quiet=True, copy_data=False)
    start = time.perf_counter()
    engine.fit(data)
    seconds = time.perf_counter() - start
    test = np.column_stack([read("test_users.i32", np.int32), read("test_items.i32", np.int32)]).astype(np.float32)
    error = engine.predict(test) - read("test_ratings.f32", np.float32)
    print(json.dumps({"seconds": seconds, "rmse": float(np.sqrt(np.mean(error.astype(float) ** 2)))}))


def call(*command):
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_pair(folder, factors, epochs, threads):
    this = [sys.executable, __file__, "--peer", folder, factors]
    ours = {name: call(report.BIN / "kindred_sgd_rounds", folder, factors, name, rate, REGULARIZATION, epochs, threads)
            for name, rate in {"libmf": RATE, "sgd": PLAIN_RATE}.items()}
    first, all_epochs = call(*this, 1, threads), call(*this, 1 + epochs, threads)
    return {"factors": factors, "epochs": epochs, "samples": ours["sgd"]["samples"],
            "libmf": (all_epochs["seconds"] - first["seconds"]) / epochs, "libmf_rmse": all_epochs["rmse"],
            **{f"our_{name}": min(found["seconds"]) for name, found in ours.items()},
            **{f"our_{name}_rmse": found["rmse"][-1] for name, found in ours.items()},
            "plan": ours["sgd"]["plan"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", default="64,128")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1, help="part of the users")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="keeps data and times")
    parser.add_argument("--write", help="a page of docs/measurements")
    parser.add_argument("--peer", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        folder, factors, epochs, threads = options.peer
        return peer(folder, int(factors), int(epochs), int(threads))
    try:
        import libmf  # noqa: F401
    except ImportError as error:
        print(f"skipped: {error}; ./setup.sh --bench installs the peers")
        return 0
    widths = [int(width) for width in options.factors.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder, options.scale)
        results = report.Results(folder / "pairs.jsonl")
        for factors in widths:
            for _ in range(options.pairs):
                results.add(run_pair(folder, factors, options.epochs, options.threads))
                print(results.entries[-1], file=sys.stderr, flush=True)
        rows = []
        for factors in widths:
            pairs = results.of(factors=factors)
            if not pairs:
                continue
            times = lambda key: [pair[key] for pair in pairs]
            for name in ("libmf", "sgd"):
                rate = pairs[0]["samples"] / min(times(f"our_{name}")) / 1e6
                rows.append((name, factors, len(pairs), f"{min(times(f'our_{name}')):.3f}", f"{rate:.0f}",
                             f"{min(times('libmf')):.3f}", report.ratio(times(f"our_{name}"), times("libmf")),
                             f"{pairs[-1][f'our_{name}_rmse']:.4f}", f"{pairs[-1]['libmf_rmse']:.4f}"))
    body = "\n".join([
        report.provenance(options.threads, "build/peers/bin/python tests/bench/peers/sgd_libmf.py"), "",
        f"Planted ratings of MovieLens-20M's shape (`als_data.py`; rank 8, noise 0.5), {options.epochs} epochs (libmf 1 "
        f"more), regularization {REGULARIZATION}, rate {RATE} (plain: {PLAIN_RATE}); libmf's package 0.9.2, 26 bins. "
        "Interleaved processes; best epoch of each; ratio of minima (pair by pair). The plan, once a fit, takes "
        f"{min(pair['plan'] for pair in results.entries):.2f} s.", "",
        report.table(("our optimizer", "d", "pairs", "Kindred, s an epoch", "M updates/s", "libmf, s an epoch", "ratio",
                      "our rmse", "its rmse"), rows)])
    print(body)
    if options.write:
        report.write_page(options.write, "Stochastic gradient descent against libmf", body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
