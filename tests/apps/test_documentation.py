"""Every link of the pages leads somewhere; every command of the README, the tutorial and the page on your own data runs, in
order: lines of ```sh blocks, from the project's root.

quickstart.sh and test.sh run outside of this test: they build what it runs. Set KINDRED_DOCUMENTATION to run it.
"""
import os
import re
import subprocess

import pytest

needs_time = pytest.mark.skipif(
    not os.environ.get("KINDRED_DOCUMENTATION"), reason="KINDRED_DOCUMENTATION is not set (./test.sh --all sets it)"
)


def commands(text: str) -> list[str]:
    lines = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            line = line.split("  #")[0].strip()
            if line and not line.startswith(("#", "./quickstart.sh", "./test.sh", "./setup.sh", "git clone", "cd ")):
                lines.append(line)
    return lines


@needs_time
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/your-own-data.md"])
def test_commands_run(page, root, bin_dir):
    todo = commands((root / page).read_text())
    assert todo, f"{page} has no commands"
    environment = dict(os.environ, PATH=f"{bin_dir}:{root}/build/venv/bin:{os.environ['PATH']}")
    for command in todo:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=root, env=environment,
                              capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{page}: {command}\n{done.stdout}\n{done.stderr}"


def test_links_lead_somewhere(root):
    pages = [page for page in root.rglob("*.md") if "build" not in page.relative_to(root).parts]
    broken = []
    for page in pages:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in link and not (page.parent / link).exists():
                broken.append(f"{page.relative_to(root)}: {link}")
    assert len(pages) > 10 and not broken
