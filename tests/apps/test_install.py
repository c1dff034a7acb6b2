"""cmake --install: programs that run from their new place, and a package that a project outside of the tree uses."""
import os
import shutil
import subprocess

import pytest


def call(*command, **more) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600, **more)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(bin_dir, tmp_path_factory):
    if "KINDRED_SANITIZE:STRING=\n" not in (bin_dir.parent / "CMakeCache.txt").read_text():
        pytest.skip("a sanitized library needs the sanitizer's flags in its users, too")
    prefix = tmp_path_factory.mktemp("prefix")
    call("cmake", "--install", bin_dir.parent, "--prefix", prefix)
    return prefix


def test_programs_run_from_the_prefix(prefix):
    programs = sorted(p.name for p in (prefix / "bin").iterdir())
    assert {"kindred-data", "kindred-topk", "kindred-train"} <= set(programs)
    for program in programs:
        assert program in call(prefix / "bin" / program, "--version")


def test_headers_and_libraries_alone(prefix, root):
    """Nothing of the build leaks: no tests, no path of the source tree in what other projects read."""
    files = [p for p in prefix.rglob("*") if p.is_file()]
    assert not [p for p in files if "test" in p.name or "gtest" in str(p)]
    for path in files:
        if path.suffix in {".cmake", ".hpp"}:
            assert str(root) not in path.read_text(), path


def test_a_project_outside_of_the_tree(prefix, root, tmp_path):
    source = tmp_path / "consumer"
    shutil.copytree(root / "tests/consumer", source)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CCACHE")}
    call("cmake", "-S", source, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", env=environment)
    call("cmake", "--build", tmp_path / "build", env=environment)
    call(tmp_path / "build/fit", tmp_path / "model.h5")
    lists = call(tmp_path / "build/answer", tmp_path / "model.h5").split()
    # Each of the two groups of four has met all of its items but one, which is the user's own number.
    assert lists == [word for user in range(100, 108) for word in (str(user), str(user))]
