# SPDX-License-Identifier: Apache-2.0
"""kindred-evaluate against ranx on the same lists: 100,000 users, 100 items each, 10 relevant.

    build/peers/bin/python tests/bench/peers/evaluate_ranx.py build/release/bin/kindred-evaluate FOLDER [--pairs 5]

Makes the files in FOLDER where they are missing, then runs pairs in turn (ranx, Kindred). Each side is measured with
reading (from CSV to the figures; ranx: pandas, then Run.from_df, its documented way) and without (ranx: evaluate() on a
Run in memory, compiled before; Kindred: the seconds that it logs for judging the lists). Figures must agree to 1e-6.
Results are appended to FOLDER/results.jsonl; the last lines say the minima of all pairs in it.
"""
import argparse
import json
import pathlib
import re
import subprocess
import time

import numpy as np
import pandas as pd

USERS, LENGTH, RELEVANT, ITEMS = 100_000, 100, 10, 50_000
# Ours: theirs. map is left out: theirs divides by the number of relevant items whatever k.
METRICS = {"ndcg@10": "ndcg@10", "ndcg@100": "ndcg@100", "recall@20": "recall@20", "precision@10": "precision@10",
           "mrr@100": "mrr@100", "hit@10": "hit_rate@10"}


def make(folder: pathlib.Path) -> None:
    """Distinct items by walking over them in steps prime to their number; scores without ties in fp32."""
    random = np.random.default_rng(1)
    users = np.repeat(np.arange(USERS), LENGTH)
    start, step = random.integers(0, ITEMS, USERS), random.choice([7, 11, 13, 17, 19], USERS)
    items = ((start[:, None] + step[:, None] * np.arange(LENGTH)) % ITEMS).ravel()
    scores = (LENGTH - np.tile(np.arange(LENGTH), USERS) + 0.9 * np.repeat(random.random(USERS), LENGTH)).round(4)
    pd.DataFrame({"user": users, "item": items, "score": scores}).to_csv(folder / "run.csv", index=False)
    # Half of what is relevant is in the list, at random places; the rest is not.
    places = np.argsort(random.random((USERS, LENGTH)), axis=1)[:, : RELEVANT // 2]
    found = (start[:, None] + step[:, None] * places) % ITEMS
    lost = (start[:, None] + step[:, None] * (LENGTH + np.arange(RELEVANT // 2))) % ITEMS
    relevant = np.concatenate([found, lost], axis=1).ravel()
    pd.DataFrame({"user": np.repeat(np.arange(USERS), RELEVANT), "item": relevant}).to_csv(folder / "test.csv", index=False)


def kindred(program: str, folder: pathlib.Path, intervals: bool) -> dict:
    call = [program, str(folder / "run.csv"), "--test", str(folder / "test.csv"), "--format", "json",
            "--metrics", ",".join(METRICS)] + ([] if intervals else ["--no-intervals"])
    begun = time.perf_counter()
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begun
    judged = float(re.search(r"lists judged .*seconds=([\d.e-]+)", done.stderr)[1])
    values = {name: entry["mean"] for name, entry in json.loads(done.stdout)["metrics"].items()}
    return {"with_reading": seconds, "judging": judged, "values": values}


def ranx_side(folder: pathlib.Path) -> dict:
    from ranx import Qrels, Run, evaluate

    begun = time.perf_counter()
    ids = {"user": object, "item": object}  # ranx takes ids as objects
    test = pd.read_csv(folder / "test.csv", dtype=ids)
    test["relevance"] = 1
    qrels = Qrels.from_df(test, q_id_col="user", doc_id_col="item", score_col="relevance")
    run = Run.from_df(pd.read_csv(folder / "run.csv", dtype=ids),
                      q_id_col="user", doc_id_col="item", score_col="score")
    reading = time.perf_counter() - begun
    begun = time.perf_counter()
    values = evaluate(qrels, run, list(METRICS.values()), save_results_in_run=False)
    judging = time.perf_counter() - begun
    return {"with_reading": reading + judging, "judging": judging,
            "values": {ours: float(values[theirs]) for ours, theirs in METRICS.items()}}


def warm_up() -> None:
    """Compiles what ranx compiles when it is first used."""
    from ranx import Qrels, Run, evaluate

    names = pd.Series([str(i) for i in range(20)], dtype=object)
    small = pd.DataFrame({"user": names, "item": names, "relevance": 1, "score": 1.0})
    evaluate(Qrels.from_df(small, q_id_col="user", doc_id_col="item", score_col="relevance"),
             Run.from_df(small, q_id_col="user", doc_id_col="item", score_col="score"), list(METRICS.values()),
             save_results_in_run=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / "test.csv").exists():
        make(options.folder)
    results = options.folder / "results.jsonl"
    if options.pairs:
        warm_up()
    for _ in range(options.pairs):
        pair = {"ranx": ranx_side(options.folder), "kindred": kindred(options.program, options.folder, False),
                "with_intervals": kindred(options.program, options.folder, True)}
        for name in METRICS:
            ours, theirs = pair["kindred"]["values"][name], pair["ranx"]["values"][name]
            assert abs(ours - theirs) <= 1e-6 * abs(theirs), (name, ours, theirs)
        with open(results, "a") as file:
            file.write(json.dumps(pair) + "\n")
    pairs = [json.loads(line) for line in results.read_text().splitlines()]
    print(f"{len(pairs)} pairs; minima in seconds")
    for what in ("with_reading", "judging"):
        theirs, ours, intervals = (min(p[side][what] for p in pairs) for side in ("ranx", "kindred", "with_intervals"))
        print(f"{what}: ranx {theirs:.3f}, Kindred {ours:.4f} ({theirs / ours:.0f}x), "
              f"with intervals {intervals:.4f} ({theirs / intervals:.0f}x)")
    print("values:", {name: round(value, 6) for name, value in pairs[-1]["kindred"]["values"].items()})


if __name__ == "__main__":
    main()
