# SPDX-License-Identifier: Apache-2.0
"""kindred-train as a user meets it: exit codes, one line on stderr for what is wrong, signals, kill -9, closed pipes."""
import json
import os
import random
import signal
import subprocess
import time

import pytest

CONFIG = """
output = "run"
device = "cpu"
[data]
interactions = "r.csv"
[model]
factors = 4
[train]
epochs = {epochs}
checkpoint_minutes = 0
"""


@pytest.fixture
def folder(tmp_path):
    draw = random.Random(3)
    rows = [f"{u},{i},{draw.randint(1, 9)}" for u in range(50) for i in draw.sample(range(30), 10)]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,count", *rows]) + "\n")
    (tmp_path / "c.toml").write_text(CONFIG.format(epochs=4))
    return tmp_path


@pytest.fixture
def train(run, folder):
    def call(*arguments, **more):
        return run("kindred-train", *arguments, cwd=folder, **more)

    return call


def metrics(folder, name="run"):
    out = json.loads((folder / name / "metrics.json").read_text())
    for key in ("seconds", "peak_memory_mib"):
        del out[key]
    for epoch in out["epochs"]:
        for key in ("seconds", "loss_seconds", "validation_seconds"):
            epoch.pop(key, None)
    return out


def test_prints_the_table_and_logs_parsable_lines(train, folder):
    done = train("c.toml")
    assert done.stdout.splitlines()[0].split() == ["test", "mean", "95", "%", "interval"]
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["recall@20", "ndcg@10"]
    for line in done.stderr.splitlines():
        assert line.split()[0].endswith("Z") and line.split()[1:3] == ["info", "kindred-train"], line
    assert (folder / "run/log.txt").read_text().count(" epoch epoch=") == 4
    assert train("c.toml", "--quiet", "--force").stderr == ""


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--bogus", "c.toml"], "--bogus"),
        ([], "which CONFIG.toml? --help lists what may be asked"),
        (["none.toml"], "none.toml: cannot read: No such file or directory; expected a file"),
        (["c.toml", "--set", "model.factor=3"], "--set: model.factor: unknown key; did you mean 'model.factors'?"),
        (["c.toml", "--set", "model.factors"], "--set: expected key=value, found 'model.factors'"),
        (["c.toml", "--threads", "-3"], "--set: threads: expected a whole number, 0 to 1024, found -3"),
        (["c.toml", "--device", "abacus"], "abacus"),
        (["c.toml", "--resume", "--force"], "--resume excludes --force"),
        (["c.toml", "--set", "data.columns.item=product"], "product"),
        (["--help-config", "modle"], "--help-config: there is no section 'modle'"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(train, folder, arguments, says):
    done = train(*arguments, code=2)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("kindred-train: ") and says in lines[0], done.stderr
    assert done.stdout == ""
    assert not (folder / "run").exists()


def test_options_reach_the_resolved_config(train, folder):
    train("c.toml", "--out", "else where", "--threads", "1", "--device", "cpu", "--set", "name=x")
    lines = (folder / "else where/config.toml").read_text().splitlines()
    assert lines[:5] == ['name = "x"', 'output = "else where"', "seed = 42", 'device = "cpu"', "threads = 1"]
    train("else where/config.toml", "--resume")  # it is a config itself, of the same run


def test_dry_run_and_help_write_nothing(train, folder):
    assert "\nusers 50\nitems 30\n" in train("c.toml", "--dry-run").stdout
    assert "model.factors\n" in train("--help-config", "model").stdout
    assert train("--help-config").stdout.count("\n    ") > 60
    assert train("--version").stdout.startswith("kindred-train ")
    assert "--resume" in train("--help").stdout
    assert not (folder / "run").exists()


def test_an_earlier_run_is_left_alone(train, folder):
    train("c.toml")
    before = metrics(folder)
    assert "--resume goes on with it, --force replaces it" in train("c.toml", code=2).stderr
    assert "model.factors (4, now 8)" in train("c.toml", "--resume", "--set", "model.factors=8", code=2).stderr
    assert train("c.toml", "--resume").stdout == ""
    assert metrics(folder) == before
    train("c.toml", "--force", "--set", "model.factors=8")
    assert metrics(folder) != before


def start(bin_dir, folder, epoch, *arguments, log="run/epochs.jsonl"):
    """A run under way that has written down `epoch` epochs."""
    call = [bin_dir / "kindred-train", "c.toml", *arguments]
    process = subprocess.Popen(call, cwd=folder, stderr=subprocess.PIPE, text=True)
    log = folder / log
    while process.poll() is None and not (log.exists() and len(log.read_text().splitlines()) >= epoch):
        time.sleep(0.002)
    assert process.poll() is None, "the run ended before it could be stopped"
    return process


@pytest.mark.parametrize("sent, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_run_stopped_from_outside_goes_on_with_the_same_bits(bin_dir, train, folder, sent, code):
    (folder / "c.toml").write_text(CONFIG.format(epochs=60))
    train("c.toml", "--out", "whole")
    process = start(bin_dir, folder, 3)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert (folder / "run/checkpoint.h5").exists() and not (folder / "run/model.h5").exists()
    if sent != signal.SIGKILL:
        assert errors.splitlines()[-1].startswith("kindred-train: ")
        assert json.loads((folder / "run/status.json").read_text())["state"] == "interrupted"
    train("c.toml", "--resume")
    assert metrics(folder) == metrics(folder, "whole")


def test_a_forced_run_that_is_killed_leaves_the_old_model(bin_dir, train, run, folder):
    train("c.toml")
    answer = run("kindred-topk", "run", "--users", "3", "--format", "csv", cwd=folder).stdout
    for path in (folder / "run").glob("epochs.jsonl"):
        path.unlink()  # so that what `start` sees is the second run's
    (folder / "c.toml").write_text(CONFIG.format(epochs=100000) + '[export]\nmodel = "new.h5"\n')
    process = start(bin_dir, folder, 1, "--force")
    process.kill()
    process.communicate(timeout=60)
    assert run("kindred-topk", "run", "--users", "3", "--format", "csv", cwd=folder).stdout == answer
    (folder / "c.toml").write_text(CONFIG.format(epochs=6))
    train("c.toml", "--force")
    assert run("kindred-topk", "run", "--users", "3", "--format", "csv", cwd=folder).stdout != answer
    assert [path.name for path in (folder / "run").glob("*.h5")] == ["model.h5"]


def test_folds_stopped_from_outside_go_on(bin_dir, train, folder):
    def found(name):
        out = json.loads((folder / name / "metrics.json").read_text())
        return out["test"], out["epochs_chosen"], out["content_hash"]

    config = CONFIG.format(epochs=40) + 'refit = "all"\n[split]\nprotocol = "k-fold"\n'
    (folder / "c.toml").write_text(config)
    table = train("c.toml", "--out", "whole").stdout.splitlines()
    assert table[0].split() == ["test", "mean", "standard", "deviation", "over", "folds"] and len(table) == 3
    process = start(bin_dir, folder, 2, log="run/fold-3/epochs.jsonl")
    process.kill()
    process.communicate(timeout=60)
    assert (folder / "run/fold-2/metrics.json").exists() and not (folder / "run/fold-3/metrics.json").exists()
    train("c.toml", "--resume")
    assert found("run") == found("whole")


def test_two_writers_are_refused(bin_dir, train, folder):
    (folder / "c.toml").write_text(CONFIG.format(epochs=100000))
    process = start(bin_dir, folder, 1)
    try:
        error = train("c.toml", "--resume", code=2).stderr
        assert f"run: process {process.pid} " in error and "writes this run" in error
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_closed_pipe_ends_quietly(bin_dir, folder):
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([bin_dir / "kindred-train", "c.toml", "--quiet"], cwd=folder, stdout=write_end,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "run/model.h5").exists()


def test_a_folder_that_cannot_be_written_is_exit_1(train, folder):
    (folder / "blocked").write_text("")
    done = train("c.toml", "--out", "blocked/run", code=1)
    assert "cannot make the run folder" in done.stderr.splitlines()[-1]
