"""Sets the project up on a fresh machine: only the standard library may be imported here.

``python3 app.py`` and ``python3 -m tests`` call :func:`ensure` first. It makes ``.venv`` beside the
code, installs the requirements there, and starts the same command again inside it. Later starts
see a stamp of what was installed and lose no time. Where the packages are already there (a
container, a Space, your own environment), nothing is made.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
OLDEST = (3, 11)


def ensure(requirements: str = "requirements.txt", module: str | None = None) -> None:
    """Return inside an environment that has ``requirements``; else make it and start over there.

    Args:
        requirements: File name in the project's root.
        module: Name for ``python -m`` where the command was started so; a script otherwise.

    Exits with a sentence when Python is too old or the packages cannot be installed.
    """
    if sys.version_info < OLDEST:
        sys.exit(f"Style Zoo needs Python {OLDEST[0]}.{OLDEST[1]} or newer.")
    wanted = requirement_names(ROOT / requirements)
    inside = Path(sys.prefix).resolve() == ENVIRONMENT.resolve()
    if not inside and all(installed(name) for name in wanted):
        return
    with one_at_a_time():
        stamp = ENVIRONMENT / f"{requirements}.installed"
        wanted_stamp = fingerprint(ROOT / requirements)
        if not stamp.is_file() or stamp.read_text() != wanted_stamp:
            install(ROOT / requirements)
            stamp.write_text(wanted_stamp)
    if not inside:
        python = str(ENVIRONMENT / "bin" / "python")
        program = ["-m", module] if module else [sys.argv[0]]
        os.execv(python, [python, *program, *sys.argv[1:]])  # noqa: S606


def install(requirements: Path) -> None:
    """Make the environment where there is none, and install ``requirements`` into it."""
    python = ENVIRONMENT / "bin" / "python"
    if not works(python):
        say(f"Setting up {ENVIRONMENT.name} (once; PyTorch alone is several gigabytes) …")
        make_environment()
    say(f"Installing {requirements.name} …")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, "-r", str(requirements)], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(
            "The packages could not be installed. Check the network and the free space, and start "
            "the same command again: it goes on where it stopped."
        )


def make_environment() -> None:
    """Make ``.venv``, with pip, also on a Debian whose Python came without ensurepip."""
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    try:
        venv.create(ENVIRONMENT, with_pip=True)
        return
    except subprocess.CalledProcessError:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    if shutil.which("apt-get") and os.geteuid() == 0:
        say("Installing Debian's package python3-venv …")
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-y", "-qq", "python3-venv"]):
            subprocess.run(["apt-get", *words], env=quiet, check=True)
        venv.create(ENVIRONMENT, with_pip=True)
        return
    sys.exit("This Python cannot make environments. Run: sudo apt-get install python3-venv")


def works(python: Path) -> bool:
    """Whether ``python`` starts and has pip: a killed set-up may have left half an environment."""
    try:
        done = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def requirement_names(path: Path) -> list[str]:
    """The package names in a requirements file, following its ``-r`` lines."""
    names = []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            names += requirement_names(path.parent / line[3:].strip())
        elif line:
            name = line
            for mark in "[<>=!~; ":
                name = name.split(mark)[0]
            names.append(name)
    return names


def installed(name: str) -> bool:
    """Whether a package of that name is in the running environment."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def fingerprint(path: Path) -> str:
    """Names this Python and the content of a requirements file and all that it includes."""
    whole = hashlib.sha256(sys.version.encode())
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            whole.update(fingerprint(path.parent / line[3:].strip()).encode())
        whole.update(line.encode())
    return whole.hexdigest()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two commands started at once must not install into each other's environment."""
    import fcntl

    name = hashlib.sha256(str(ROOT).encode()).hexdigest()[:16]
    with open(Path(tempfile.gettempdir()) / f"style-zoo-{os.getuid()}-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(words: str) -> None:
    """Tell the person who waits; on standard error, which no program reads as a result."""
    sys.stderr.write(words + "\n")
    sys.stderr.flush()
