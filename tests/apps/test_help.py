# SPDX-License-Identifier: Apache-2.0
"""--help, completions and man pages come from one list of options: they are whole, shells and man read them, and what
bash and zsh offer is tried."""
import os
import pty
import re
import select
import shutil
import subprocess

import pytest

PROGRAMS = ["kindred-train", "kindred-topk", "kindred-data", "kindred-evaluate"]


def commands_of(run, program):
    found = re.search(r"^Subcommands:\n((?:  .*\n)+)", run(program, "--help").stdout, re.M)
    return re.findall(r"^  (\w+)", found[1], re.M) if found else []


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


@pytest.fixture(params=PROGRAMS)
def program(request):
    return request.param


def listed(run, program):
    """All options that --help lists at the start of a line, of subcommands too."""
    pages = [run(program, "--help").stdout, *(run(program, name, "--help").stdout for name in commands_of(run, program))]
    return {option for page in pages for option in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", page, re.M)}


def test_help_has_examples_and_hides_what_is_for_scripts(run, program):
    page = run(program, "--help").stdout
    commands = commands_of(run, program)
    pages = [run(program, name, "--help").stdout for name in commands] or [page]
    for text in pages:
        assert re.search(r"^Examples?:\n  " + program, text, re.M), text
    assert "--print-man" not in page and "--print-completion" not in page


def test_completions_are_whole_and_shells_read_them(run, program, tmp_path):
    options = listed(run, program)
    assert len(options) > 5
    for shell in ("bash", "zsh"):
        script = run(program, "--print-completion", shell).stdout
        assert options <= options_of(script)
        (tmp_path / shell).write_text(script)
        if shutil.which(shell):
            subprocess.run([shell, "-n", tmp_path / shell], check=True)
    assert "fish not in {bash,zsh}" in run(program, "--print-completion", "fish", code=2).stderr


def offered(run, program, *words):
    """What bash offers for the last of these words."""
    script = run(program, "--print-completion", "bash").stdout
    quoted = " ".join(f"'{word}'" for word in (program, *words))
    function = "_" + program.replace("-", "_")
    done = subprocess.run(["bash", "--norc", "-euc", f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words)}\n"
                           f"{function}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\ncomplete -p {program}"],
                          capture_output=True, text=True, check=True)
    *found, registered = done.stdout.splitlines()
    assert registered == f"complete -o default -F {function} {program}"
    return [word for word in found if word]


def test_bash_offers_what_may_stand_there(run):
    assert offered(run, "kindred-topk", "model.h5", "--si") == ["--similar-users"]
    assert offered(run, "kindred-topk", "model.h5", "--metric", "") == ["dot", "cosine", "euclidean"]
    assert offered(run, "kindred-topk", "model.h5", "--metric", "=", "co") == ["cosine"]
    assert offered(run, "kindred-topk", "model.h5", "--metric", "=") == ["dot", "cosine", "euclidean"]
    assert offered(run, "kindred-topk", "model.h5", "--unknown", "s") == ["skip"]
    assert offered(run, "kindred-topk", "model.h5", "--exclude", "") == []  # bash offers files
    assert offered(run, "kindred-topk", "mod") == []
    assert offered(run, "kindred-train", "--re") == ["--resume"]
    assert offered(run, "kindred-data", "doc") == ["doctor"]
    assert offered(run, "kindred-data", "synth", "--s") == ["--seed"]
    assert "--users" not in offered(run, "kindred-data", "doctor", "--")


def zsh_shows(folder, line, pattern):
    """Whether an interactive zsh that finds completions in `folder` shows this when Tab is pressed behind `line`."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("zsh", ["zsh", "-f"], {**os.environ, "TERM": "dumb"})

    def answers(keys, wanted):
        os.write(terminal, keys.encode())
        shown = ""
        while not re.search(wanted, shown):
            if not select.select([terminal], [], [], 20)[0]:
                return False
            shown += os.read(terminal, 1 << 16).decode(errors="replace")
        return True

    ready = answers(f"fpath=('{folder}' $fpath); autoload -Uz compinit; compinit -u -D; unsetopt auto_menu; LISTMAX=999; "
                    "COLUMNS=200; LINES=99; echo START''ED\n", "STARTED")  # in two parts, so as not to be read as typed
    found = ready and answers(line + "\t", pattern)
    os.close(terminal)  # hangs up
    os.waitpid(process, 0)
    return found


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_offers_what_may_stand_there(run, tmp_path):
    for name in ("kindred-topk", "kindred-data"):
        (tmp_path / f"_{name}").write_text(run(name, "--print-completion", "zsh").stdout)
    assert zsh_shows(tmp_path, "kindred-topk m.h5 --si", r"--similar-users ")
    assert zsh_shows(tmp_path, "kindred-topk m.h5 --metric ", r"cosine +dot +euclidean")
    assert zsh_shows(tmp_path, "kindred-topk m.h5 --s", r"--score +-- Scores of the pairs")
    assert zsh_shows(tmp_path, "kindred-data ", r"doctor +-- What was built in")
    assert zsh_shows(tmp_path, "kindred-data export m.h5 d --format ", r"csv +npy")


def test_man_pages_are_whole_and_man_reads_them(run, program):
    page = run(program, "--print-man").stdout
    assert listed(run, program) <= options_of(re.sub(r"\\f[BIR]", "", page).replace("\\-", "-"))
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    done = subprocess.run(["groff", "-ww", "-man", "-Tutf8", "-rLL=78n"], input=page, capture_output=True, text=True,
                          check=True)
    assert done.stderr == ""
    plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)  # bold and underlined, either way
    for section in ("NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "EXIT STATUS"):
        assert re.search(f"^{section}$", plain, re.M), plain
    assert re.search(f"^ +{program} +- ", plain, re.M), plain
