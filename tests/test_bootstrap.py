"""The set-up of a fresh machine, with a requirements file that installs in a moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from space import bootstrap

ROOT = Path(__file__).parents[1]


def fresh_clone(folder: Path, requirements: str) -> Path:
    """A project of the bootstrap, one program and a requirements file."""
    (folder / "space").mkdir(parents=True)
    (folder / "space" / "__init__.py").touch()
    (folder / "space" / "bootstrap.py").write_text((ROOT / "space" / "bootstrap.py").read_text())
    (folder / "requirements.txt").write_text(requirements)
    (folder / "app.py").write_text(
        "import sys\nfrom space import bootstrap\nbootstrap.ensure()\n"
        "import six\nprint(sys.prefix, sys.argv[1:], six.__version__)\n"
    )
    return folder


def start(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    base = Path(sys.base_prefix) / "bin" / "python3"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(base), "app.py", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_sets_up_once_and_starts_the_same_command(tmp_path: Path) -> None:
    # toposort is a package that no machine has by chance, so an environment has to be made.
    folder = fresh_clone(tmp_path / "a b", "six==1.16.0\ntoposort==1.10\n")
    first = start(folder, "--port", "1")
    assert first.returncode == 0, first.stderr
    assert first.stdout.split()[-1] == "1.16.0"
    assert "['--port', '1']" in first.stdout
    assert str(folder / ".venv") in first.stdout
    assert "Installing requirements.txt" in first.stderr
    again = start(folder)
    assert "Installing" not in again.stderr
    assert again.returncode == 0


def test_a_half_made_environment_is_made_anew(tmp_path: Path) -> None:
    folder = fresh_clone(tmp_path / "b", "six==1.16.0\ntoposort==1.10\n")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").write_text("#!/bin/false\n")
    (folder / ".venv" / "bin" / "python").chmod(0o755)
    done = start(folder)
    assert done.returncode == 0, done.stderr


def test_packages_that_cannot_be_installed_are_a_sentence(tmp_path: Path) -> None:
    folder = fresh_clone(tmp_path / "c", "six==0.0.0.dev1\ntoposort==1.10\n")
    done = start(folder)
    assert done.returncode == 1
    assert "The packages could not be installed." in done.stderr
    assert "Traceback" not in done.stderr


def test_requirement_names_follow_includes() -> None:
    names = bootstrap.requirement_names(ROOT / "requirements-dev.txt")
    assert {"gradio", "torch", "pytest", "pydantic"} <= set(names)
    assert not any(mark in name for name in names for mark in "[<>=# ")


def test_old_python_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST", (4, 0))
    with pytest.raises(SystemExit, match=r"needs Python 4\.0 or newer"):
        bootstrap.ensure()
