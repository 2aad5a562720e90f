"""``python3 -m tests``: set up what is missing, then check the style and run the tests.

Words after the command go to pytest: ``python3 -m tests tests/test_form.py -k bounds``.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from space import bootstrap

# Program -> Debian package. Fonts have no program; they come with the browser.
DEBIAN = {
    "chromium": ["chromium", "fonts-noto-cjk"],
    "git": ["git"],
    "git-lfs": ["git-lfs"],
}
STYLE = (
    ["ruff", "check"],
    ["ruff", "format", "--check"],
    ["mypy"],
    ["lint-imports"],
)
# One worker for each core, a file's tests together: a browser or a site is started once a file.
WORKERS = ("--numprocesses", "auto", "--dist", "loadfile")


def main() -> int:
    """Run everything; returns 0 when all is well."""
    bootstrap.ensure("requirements-dev.txt", module="tests")
    install_debian_packages()
    # With a worker on every core, more threads would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "2" if sys.argv[1:] else "1")
    failed = []
    chosen = sys.argv[1:]
    for command in () if chosen else STYLE:
        program = str(Path(sys.executable).parent / command[0])
        if subprocess.run([program, *command[1:]], cwd=bootstrap.ROOT, check=False).returncode:
            failed.append(" ".join(command))
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", *(chosen or WORKERS)], cwd=bootstrap.ROOT, check=False
    )
    if failed:
        bootstrap.say(f"Failed: {', '.join(failed)}")
    return tests.returncode or bool(failed)


def install_debian_packages() -> None:
    """Install the programs that the tests drive, where this is Debian and we may."""
    missing = [
        package
        for program, names in DEBIAN.items()
        if not shutil.which(program)
        for package in names
    ]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        bootstrap.say(f"Some tests need: sudo apt-get install {' '.join(missing)}")
        return
    bootstrap.say(f"Installing {' '.join(missing)} …")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        subprocess.run(["apt-get", *words], env=quiet, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
