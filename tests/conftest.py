"""What the Python tests share: where the programs and the data sets are, and a way to run them."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def bin_dir() -> pathlib.Path:
    return pathlib.Path(os.environ.get("KINDRED_BIN", ROOT / "build/release/bin"))


@pytest.fixture(scope="session")
def data() -> pathlib.Path:
    """The folder of the real data sets; a test that needs one calls `need`."""
    return ROOT / "data"


@pytest.fixture(scope="session")
def need(data):
    def check(name: str) -> pathlib.Path:
        if not (data / name).exists():
            pytest.skip(f"data/{name} is not there (data/README.md says where to get it)")
        return data / name

    return check


@pytest.fixture(scope="session")
def run(bin_dir):
    """run("kindred-train", "x.toml") -> CompletedProcess with text output; `code` is the exit code expected."""

    def call(program: str, *arguments, code: int | None = 0, cwd=None, stdin=None, timeout=300, **more):
        done = subprocess.run(
            [str(bin_dir / program), *map(str, arguments)],
            cwd=cwd, input=stdin, capture_output=True, text=True, timeout=timeout, **more,
        )
        if code is not None:
            assert done.returncode == code, f"{program} {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call
