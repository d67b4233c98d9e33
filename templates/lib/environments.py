"""A script in an environment of its own: made once from an exact list of packages, there whole or not at all.

A script asks for it in its `# /// script` block: `# environment = "recipe/llmcompressor.txt"` below `# [tool.zyc]`. One
folder per list, Python and machine below `~/.cache/zyc/environments` (`ZYC_ENVIRONMENTS` names another place). Standard
library only: `python environments.py SCRIPT` makes the environment if need be and becomes the script.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ASKED = re.compile(r'^# environment = "([^"\n]+)"$', re.MULTILINE)
TOLD = 6  # lines of an installer's last words


class Unavailable(Exception):
    """Why the environment cannot be had here, and the next step."""


def home() -> Path:
    """Where environments are kept on this machine."""
    if os.environ.get("ZYC_ENVIRONMENTS"):
        return Path(os.environ["ZYC_ENVIRONMENTS"]).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "zyc" / "environments"


def asked(script: Path) -> Path | None:
    """The list that a script asks for; None when it runs where it is called."""
    found = ASKED.search(script.read_text(encoding="utf-8").partition("# ///\n")[0])
    return Path(found[1]) if found else None


def folder(listed: Path) -> Path:
    """Where the environment of a list is, or will be."""
    machine = f"{platform.system()} {platform.machine()} {sys.version_info[:2]}"
    digest = hashlib.sha256(f"{machine}\n{listed.read_text(encoding='utf-8')}".encode()).hexdigest()[:16]
    return home() / f"{listed.stem}-{digest}"


def commands(made: Path, listed: Path) -> list[list[str]]:
    """What makes an environment: uv where it is, else venv and pip. Nothing is added to the list: it names all."""
    uv, python = shutil.which("uv"), str(made / "bin/python")
    if uv:
        there = [uv, "venv", "--quiet", "--python", sys.executable, str(made)]
        return [there, [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, "-r", str(listed)]]
    there = [sys.executable, "-m", "venv", str(made)]
    return [there, [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-input", "-r", str(listed)]]


def ready(listed: Path) -> Path:
    """The Python of the environment of a list; made when it is not there."""
    whole = folder(listed)
    with _alone(whole):
        if not (whole / "bin/python").exists():
            print(f"making an environment of its own from {listed}: once on this machine, some minutes", flush=True)
            _make(whole, listed)
    return whole / "bin/python"


def _make(whole: Path, listed: Path) -> None:
    made = Path(tempfile.mkdtemp(prefix="new-", dir=whole.parent))
    try:
        for command in commands(made, listed.absolute()):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode:
                words = "\n".join(f"  {line}" for line in done.stdout.strip().splitlines()[-TOLD:])
                raise Unavailable(
                    f"the environment of {listed} cannot be made here\n{words}\nhelp: it comes from the registry of Python "
                    "packages: run this where there is a network, or name a folder that holds it in ZYC_ENVIRONMENTS"
                )
        made.rename(whole)  # rename last: a reader may look at any moment
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _alone(whole: Path) -> Iterator[None]:
    whole.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{whole}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(script: Path) -> None:
    """Become the script, in its environment."""
    listed = asked(script)
    python = sys.executable
    if listed is not None:
        try:
            python = str(ready(listed))
        except (OSError, Unavailable) as error:
            sys.exit(f"error: {error}")
    os.execv(python, [python, str(script)])  # noqa: S606


if __name__ == "__main__":
    main(Path(sys.argv[1]))
