# SPDX-License-Identifier: Apache-2.0
"""What is wrong is said in one line with the right exit code, nothing half-written stays behind, and no signal ends a
program: data files, configs, damaged models, full disks, folders that cannot be written, kills and memory that runs out."""
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np
import pytest

CONFIG = """
output = "run"
device = "cpu"
threads = 1
[data]
interactions = "r.csv"
[model]
factors = 8
[train]
epochs = 2
"""
GOOD = "user,item,rating\n" + "".join(
    f"u{u},i{i},{1 + (u * i) % 5}\n" for u in range(30) for i in range(20) if (u + i) % 3)


def snapshot(folder):
    """Every file and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def one_line(done, program, code, says):
    """Warnings and progress may stand before the line; what is wrong is the last one and the only one of its kind."""
    assert done.returncode == code, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith(program + ": ")]
    assert len(lines) == 1 and lines[0] == done.stderr.splitlines()[-1], done.stderr
    assert says in lines[0], lines[0]


def unlogged(stderr):
    """Without the log: a build with CUDA says why it answers on the CPU."""
    return [line for line in stderr.splitlines() if " info " not in line]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "r.csv").write_text(GOOD)
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "r.csv").write_text(GOOD)
    (folder / "c.toml").write_text(CONFIG)
    run("kindred-train", "c.toml", cwd=folder)
    return folder / "run/model.h5"


# --- data and configs

DATA = [
    (None, "r.csv: cannot read: No such file or directory; expected a file"),
    ("", "r.csv: the file is empty"),
    ("\n\n", "r.csv: the file is empty"),
    ("user,item,rating\n", "r.csv: a header and no rows"),
    ("user,product,rating\n1,2,3\n", "r.csv: no column for the item; found user, product, rating"),
    ("user,item,rating\n1,2,five\n", "r.csv:2: rating: expected a number, found 'five'"),
    ("user,item,rating\n1,2,3\n1,3,nan\n", "r.csv:3: rating: expected"),
    ("user,item,rating\n1,2,inf\n", "r.csv:2: rating: expected"),
    ("user,item,rating\n1,2,1e99\n", "r.csv:2: rating: expected"),
    ("user,item,rating\n1,2\n", "r.csv:2: expected 3 fields, found 2"),
    ("user,item,rating\n,2,3\n", "r.csv:2: "),
    ('user,item,rating\n"1,2,3\n', "r.csv:2: "),
    ("user,item,rating\n1,2,-3\n", "-3"),
]


@pytest.mark.parametrize("text, says", DATA)
def test_data(run, folder, text, says):
    (folder / "r.csv").unlink() if text is None else (folder / "r.csv").write_text(text)
    before = snapshot(folder)
    one_line(run("kindred-train", "c.toml", cwd=folder, code=None), "kindred-train", 2, says)
    assert snapshot(folder) == before


CONFIGS = [
    ("[model]\nfactor = 8", "c.toml:2: model.factor: unknown key; did you mean 'model.factors'?"),
    ('[model]\nfactors = "eight"', "c.toml:2: model.factors: expected a whole number"),
    ("[model]\nfactors = 0", "c.toml:2: model.factors: expected a whole number, 1 to 1024, found 0"),
    ("[model]\nfactors = 1025", "c.toml:2: model.factors: expected a whole number, 1 to 1024, found 1025"),
    ("[model]\nregularization = -1.0", "c.toml:2: model.regularization: expected a number"),
    ("[model]\nregularization = nan", "c.toml:2: model.regularization: expected a number"),
    ('[model]\nsolver = "magic"', "c.toml:2: model.solver: expected"),
    ("[model]\nfactors = 8\nfactors = 9", "c.toml:3"),
    ("[model\n", "c.toml:1"),
    ("threads = 999999", "c.toml:1: threads: expected a whole number, 0 to 1024, found 999999"),
    ('device = "abacus"', "device: expected auto, cpu, cuda or cuda:N, found 'abacus'"),
    ("", "data.interactions"),
]


@pytest.mark.parametrize("text, says", CONFIGS)
def test_configs(run, folder, text, says):
    if "device" in text:
        text += '\n[data]\ninteractions = "r.csv"'
    (folder / "c.toml").write_text(text)
    before = snapshot(folder)
    one_line(run("kindred-train", "c.toml", cwd=folder, code=None), "kindred-train", 2, says)
    assert snapshot(folder) == before


CALLS = [
    ("kindred-train", ("c.toml", "--threads", "999999"), "threads: expected a whole number, 0 to 1024, found 999999"),
    ("kindred-train", ("c.toml", "--threads", "many"), "--threads"),
    ("kindred-train", ("c.toml", "extra"), "extra"),
    ("kindred-topk", ("MODEL", "--all-users", "--threads", "999999"), "threads: expected 0 (all cores) to 1024"),
    ("kindred-topk", ("MODEL", "--all-users", "--threads", "-1"), "threads: expected 0 (all cores) to 1024"),
    ("kindred-topk", ("MODEL", "--users", "nobody"), "--users: user 'nobody' is not in the model (30 users"),
    ("kindred-topk", ("MODEL", "--users", os.fsdecode(b"caf\xe9")), "--users: user 'caf\\xe9' is not in the model"),
    ("kindred-topk", ("MODEL", "--all-users", os.fsdecode(b"--\xff")), "--\\xff"),
    ("kindred-topk", ("MODEL", "--all-users", "--bogus"), "--bogus"),
    ("kindred-topk", ("MODEL", "--all-users", "--to", "sqlite:c.toml"), "c.toml: not a SQLite database"),
    ("kindred-topk", ("MODEL",), "xactly 1 option"),
    ("kindred-topk", ("nowhere.h5", "--all-users"), "nowhere.h5: cannot read"),
    ("kindred-topk", ("c.toml", "--all-users"), "c.toml: not an HDF5 file"),
    ("kindred-data", ("docter",), "there is no command 'docter'; did you mean 'doctor'?"),
    ("kindred-data", (), "subcommand"),
]


@pytest.mark.parametrize("program, arguments, says", CALLS)
def test_calls(run, folder, model, program, arguments, says):
    before = snapshot(folder)
    arguments = [model if argument == "MODEL" else argument for argument in arguments]
    done = run(program, *arguments, cwd=folder, code=None)
    one_line(done, program, 2, says)
    assert len(unlogged(done.stderr)) == 1
    assert done.stdout == "" and snapshot(folder) == before


# --- damaged models

def expect_refused(run, path, code=2):
    done = run("kindred-topk", path, "--all-users", "--format", "csv", "--device", "cpu", "--threads", 1, code=None)
    one_line(done, "kindred-topk", code, path.name)
    assert done.stdout == ""


def test_models_cut_at_every_kib(run, model, tmp_path):
    whole = model.read_bytes()
    for size in range(0, len(whole), 1024):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        expect_refused(run, tmp_path / "cut.h5")


def test_models_with_flipped_bytes(run, model, tmp_path):
    """Each is refused, or gives the very same answers (a byte that nothing reads)."""
    whole = model.read_bytes()
    draw = random.Random(7)
    options = ("--all-users", "--format", "csv", "--device", "cpu", "--threads", 1)
    right = run("kindred-topk", model, *options).stdout
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        (tmp_path / "flipped.h5").write_bytes(damaged)
        done = run("kindred-topk", tmp_path / "flipped.h5", *options, code=None)
        if done.returncode == 0:
            assert done.stdout == right
        else:
            one_line(done, "kindred-topk", 2, "flipped.h5")
            refused += 1
    assert refused > 30


def replace(file, path, values):
    """Another dataset of the same name, stored as before."""
    node = file[path]
    attributes = dict(node.attrs)
    options = {"chunks": tuple(max(1, n) for n in np.asarray(values).shape), "fletcher32": True,
               "compression": node.compression}
    del file[path]
    made = file.create_dataset(path, data=values, **options)
    for name, value in attributes.items():
        made.attrs[name] = value


MODELS = {
    "fewer item rows": lambda file: replace(file, "items/factors", file["items/factors"][:-1]),
    "other widths": lambda file: replace(file, "items/factors", file["items/factors"][:, :-1]),
    "more users than rows": lambda file: replace(file, "users/ids", file["users/ids"][:-1]),
    "an index too high": lambda file: file["history/indices"].__setitem__(0, 99999),
    "an index below 0": lambda file: file["history/indices"].__setitem__(0, -1),
    "values that are not finite": lambda file: file["items/factors"].__setitem__((0, 0), np.nan),
    "another format version": lambda file: file.attrs.__setitem__("format_version", np.int64(99)),
    "another format": lambda file: file.attrs.__setitem__("format", np.bytes_("someone")),
    "no scorer": lambda file: file.attrs.__delitem__("scorer"),
    "no item ids": lambda file: file.__delitem__("items/ids"),
}


@pytest.mark.parametrize("change", MODELS)
def test_models_that_are_wrong(run, model, tmp_path, change):
    shutil.copy(model, tmp_path / "wrong.h5")
    with h5py.File(tmp_path / "wrong.h5", "r+", libver=("v110", "v110")) as file:
        MODELS[change](file)
    expect_refused(run, tmp_path / "wrong.h5")


# --- disks that are full, folders that cannot be written

TARGETS = ["out.csv", "out.json", "out.h5", "sqlite:out.db"]


def limited(kind, amount):
    return lambda: resource.setrlimit(kind, (amount, amount))


@pytest.mark.parametrize("target", TARGETS)
def test_files_that_may_not_grow(run, model, tmp_path, target):
    name = target.removeprefix("sqlite:")
    for old in (None, "old"):
        if old and not target.startswith("sqlite:"):
            (tmp_path / name).write_text(old)
        elif old:
            run("kindred-topk", model, "--users", "u1", "--to", target, cwd=tmp_path)
        before = snapshot(tmp_path)
        done = run("kindred-topk", model, "--all-users", "-k", 20, "--to", target, "--include-seen", cwd=tmp_path,
                   code=None, preexec_fn=limited(resource.RLIMIT_FSIZE, 4096))
        one_line(done, "kindred-topk", 1, name)
        assert snapshot(tmp_path) == before


def test_training_where_files_may_not_grow(run, folder):
    done = run("kindred-train", "c.toml", cwd=folder, code=None, preexec_fn=limited(resource.RLIMIT_FSIZE, 8192))
    one_line(done, "kindred-train", 1, "model.h5")
    assert not list(folder.rglob("model.h5*"))


def in_mount(options, folder, command):
    """Runs `command` in `folder`, over which a file system is mounted that nobody else sees; skips where that may not be."""
    script = f"mount -t tmpfs {options} none '{folder}' || exit 99; cd '{folder}'; {command}; echo $?; ls -A"
    done = subprocess.run(["unshare", "--mount", "--map-root-user", "sh", "-c", script], capture_output=True, text=True)
    if done.returncode == 99 or "unshare" in done.stderr or not done.stdout:
        pytest.skip("mounting is not allowed here")
    lines = done.stdout.splitlines()
    return int(lines[0]), lines[1:], done.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_a_full_disk(bin_dir, model, tmp_path, target):
    (tmp_path / "disk").mkdir()
    code, files, errors = in_mount("-o size=8k", tmp_path / "disk",
                                   f"{bin_dir}/kindred-topk {model} --all-users -k 20 --include-seen --to {target}")
    assert code == 1 and files == [], (code, files, errors)
    assert errors.splitlines()[-1].startswith("kindred-topk: out.") and "space" in errors.splitlines()[-1]


@pytest.mark.parametrize("target", TARGETS)
def test_a_disk_that_cannot_be_written(bin_dir, model, tmp_path, target):
    (tmp_path / "disk").mkdir()
    code, _, errors = in_mount("-o ro", tmp_path / "disk",
                               f"{bin_dir}/kindred-topk {model} --all-users --to {target}")
    assert code == 1, errors
    assert errors.splitlines()[-1].startswith("kindred-topk: out.") and len(unlogged(errors)) == 1


def test_training_on_a_disk_that_cannot_be_written(bin_dir, folder):
    (folder / "disk").mkdir()
    code, _, errors = in_mount("-o ro", folder / "disk", f"{bin_dir}/kindred-train {folder}/c.toml --out run")
    assert code == 1 and errors.splitlines()[-1].startswith("kindred-train: run"), errors


@pytest.mark.parametrize("command", [
    "kindred-train --help-config", "kindred-train --help", "kindred-topk --help", "kindred-topk --version",
    "kindred-topk MODEL --all-users --format csv", "kindred-topk MODEL --all-users --format json",
    "kindred-topk MODEL --all-users", "kindred-topk MODEL --score pairs.csv", "kindred-data doctor",
    "kindred-train c.toml", "kindred-train c.toml --dry-run --out dry"])
def test_standard_output(bin_dir, folder, model, command):
    """A full disk behind standard output is told; a reader who leaves is not."""
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    (folder / "pairs.csv").write_text("user,item\nu1,i1\n")
    command = f"{bin_dir}/{command.replace('MODEL', str(model))}"
    done = subprocess.run(f"exec {command} >/dev/full", shell=True, cwd=folder, capture_output=True, text=True)
    one_line(done, command.split()[0].split("/")[-1], 1, "standard output: cannot write")
    shutil.rmtree(folder / "run", ignore_errors=True)
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(command.split(), cwd=folder, stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)
    assert done.returncode == 0
    assert not [line for line in done.stderr.splitlines() if line.startswith("kindred-")], done.stderr


# --- kills and memory

def test_a_kill_while_writing_leaves_the_old_lists(bin_dir, model, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old")
    (tmp_path / "who").write_text("\n".join(f"u{n % 30}" for n in range(200_000)))
    killed = 0
    for _ in range(5):
        process = subprocess.Popen([bin_dir / "kindred-topk", model, "--users", f"@{tmp_path}/who", "--include-seen",
                                    "--to", target], stderr=subprocess.DEVNULL)
        while process.poll() is None and not list(tmp_path.glob("out.csv.part*")):
            time.sleep(0.001)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        assert target.read_text() == "old"
    assert killed > 0


def test_a_kill_while_training_again_leaves_a_whole_model_or_none(run, bin_dir, folder):
    (folder / "c.toml").write_text(CONFIG.replace("factors = 8", "factors = 256"))
    run("kindred-train", "c.toml", cwd=folder)
    for _ in range(3):
        process = subprocess.Popen([bin_dir / "kindred-train", "c.toml", "--force", "--quiet"], cwd=folder,
                                   stdout=subprocess.DEVNULL)
        while process.poll() is None and not list((folder / "run").glob("model.h5.part*")):
            time.sleep(0.0005)
        process.kill()
        process.wait()
        if (folder / "run/model.h5").exists():
            run("kindred-topk", "run", "--users", "u1", cwd=folder)
        run("kindred-train", "c.toml", "--force", "--quiet", cwd=folder)


def test_too_little_memory(run, folder):
    """From a limit at which the program starts: one line that says so, then done."""
    rows = ["user,item", *(f"{u},{(u * 7 + n) % 600}" for u in range(20_000) for n in range(2))]
    (folder / "r.csv").write_text("\n".join(rows) + "\n")
    (folder / "c.toml").write_text(CONFIG.replace("factors = 8", "factors = 256").replace("epochs = 2", "epochs = 1")
                                   + '[split]\nprotocol = "none"\n')
    run("kindred-train", "c.toml", cwd=folder)

    def ask(mib, *arguments):
        return run("kindred-topk", *arguments, cwd=folder, code=None, timeout=60,
                   preexec_fn=limited(resource.RLIMIT_AS, mib << 20))

    starts = next(mib for mib in range(60, 1000, 10) if ask(mib, "--version").returncode == 0)
    codes = []
    for mib in range(starts + 10, 1000, 10):
        done = ask(mib, "run", "--all-users", "-k", 1, "--to", "out.csv", "--threads", 1, "--device", "cpu")
        codes.append(done.returncode)
        assert done.returncode in (0, 1), (mib, done.returncode, done.stderr)
        if done.returncode == 0:
            break
        one_line(done, "kindred-topk", 1, "memory")
        assert not (folder / "out.csv").exists()
    assert 1 in codes and codes[-1] == 0


def test_too_little_memory_to_fit(run, folder):
    """OpenBLAS asks for its buffer for ever where it cannot have it: the program must not come to that."""
    (folder / "c.toml").write_text(CONFIG.replace("factors = 8", "factors = 1024").replace("epochs = 2", "epochs = 1"))

    def ask(mib, *arguments):
        return run("kindred-train", *arguments, cwd=folder, code=None, timeout=60,
                   preexec_fn=limited(resource.RLIMIT_AS, mib << 20))

    starts = next(mib for mib in range(60, 1000, 10) if ask(mib, "--version").returncode == 0)
    said = []
    for mib in range(starts + 10, 1000, 20):
        done = ask(mib, "c.toml", "--force")
        if done.returncode == 0:
            break
        one_line(done, "kindred-train", 1, "memory")
        said.append(done.stderr.splitlines()[-1])
    assert done.returncode == 0 and any("OpenBLAS" in line for line in said), said


def test_threads_that_cannot_be_started(run, model):
    """Each wants room for its stack."""
    done = run("kindred-topk", model, "--all-users", "--threads", 1024, code=None,
               preexec_fn=limited(resource.RLIMIT_AS, 1 << 30))
    one_line(done, "kindred-topk", 1, "of 1024 cannot be started")


# --- what is small or odd and yet right

EDGES = [
    ("one user", "user,item,count\n" + "".join(f"1,{i},1\n" for i in range(9)), "there is one user or one item"),
    ("one item", "user,item,count\n" + "".join(f"{u},1,2\n" for u in range(9)), "there is one user or one item"),
    ("one pair", "user,item,count\n1,1,1\n", "there is one user or one item"),
    ("all equal", "user,item,count\n" + "".join(f"{u},{(u + n) % 9},3\n" for u in range(9) for n in range(4)),
     "all values are equal"),
]


@pytest.mark.parametrize("name, text, note", EDGES, ids=[edge[0] for edge in EDGES])
@pytest.mark.parametrize("feedback", ["implicit", "explicit"])
def test_small_data_trains_and_answers(run, folder, name, text, note, feedback):
    (folder / "r.csv").write_text(text)
    (folder / "c.toml").write_text(CONFIG.replace("[model]", f'[model]\nfeedback = "{feedback}"')
                                   + '[split]\nprotocol = "none"\n')
    assert note in run("kindred-train", "c.toml", cwd=folder).stderr
    done = run("kindred-topk", "run", "--all-users", "-k", 100, "--include-seen", "--format", "csv", cwd=folder)
    assert "lists hold all items" in done.stderr
    users, items = ({line.split(",")[column] for line in text.splitlines()[1:]} for column in (0, 1))
    assert len(done.stdout.splitlines()) == 1 + len(users) * len(items)


def test_a_user_without_history_gets_what_is_popular(run, folder):
    (folder / "train.csv").write_text(GOOD)
    (folder / "test.csv").write_text("user,item,rating\nnewcomer,i1,5\n")
    (folder / "c.toml").write_text(CONFIG.replace('interactions = "r.csv"', "") +
                                   '[split]\nprotocol = "files"\nfiles = { train = "train.csv", test = "test.csv" }\n')
    run("kindred-train", "c.toml", cwd=folder, code=None)
    done = run("kindred-topk", "run", "--users", "newcomer", "--unknown", "popular", "-k", 3, "--format", "csv", cwd=folder)
    assert "get what is popular" in done.stderr
    assert len(done.stdout.splitlines()) == 4
