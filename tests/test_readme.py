"""The README's commands and code, run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
ZOO = [
    line
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    if "-m zoo" in line
]
PYTHON = [block for kind, block in BLOCKS if kind == "python"]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder where the snippets may write, with the examples where they expect them."""
    (tmp_path / "space").symlink_to(ROOT / "space")
    return tmp_path


def run(words: list[str], folder: Path) -> None:
    done = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for line in ZOO if " serve" not in line])
def test_shell_commands(line: str, elsewhere: Path) -> None:
    words = shlex.split(line)
    assert words[0] == ".venv/bin/python"
    run([sys.executable, *words[1:]], elsewhere)
    if "--out" in words:
        with Image.open(elsewhere / words[words.index("--out") + 1]) as picture:
            assert max(picture.size) == 128


@pytest.mark.parametrize("block", PYTHON)
def test_python_code(block: str, elsewhere: Path) -> None:
    run([sys.executable, "-c", block], elsewhere)
    for name in re.findall(r'save\("(.*?)"\)', block):
        with Image.open(elsewhere / name) as picture:
            picture.load()


def test_the_two_commands_are_there() -> None:
    shell = "".join(block for kind, block in BLOCKS if kind == "sh")
    assert "python3 app.py\n" in shell
    assert "python3 -m tests\n" in shell
    assert "python3 -m tests" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/hub.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target
