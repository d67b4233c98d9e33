"""All golden files are what they claim to be: scripts that a shell, a linter and Python accept."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
GOLDEN = sorted(path for path in TESTS.rglob("golden/**/*") if path.is_file())


def ending(*ends):
    """The golden files with one of these endings."""
    return [path for path in GOLDEN if path.suffix in ends]


def test_there_are_golden_files():
    """The tests below look at something."""
    assert {".py", ".sh", ".json"} <= {path.suffix for path in GOLDEN}


def test_every_golden_folder_has_its_test():
    """What no test renders is not golden."""
    for home in TESTS.rglob("golden"):
        for case in home.glob("*/*"):
            source = (home.parent / f"test_{case.parent.name}.py").read_text()
            assert f"def test_{case.name}(" in source, f"no test renders {case.relative_to(TESTS)}"


@pytest.mark.parametrize("path", ending(".py"), ids=lambda path: str(path.relative_to(TESTS)))
def test_scripts_compile(path):
    """Python accepts every rendered script."""
    compile(path.read_text(), str(path), "exec")


def test_scripts_are_clean():
    """A reader without zyc may run a linter with its own defaults over every rendered script."""
    scripts = [str(path) for path in ending(".py")]
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    told = subprocess.run([*ruff, *scripts], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_shell_files_parse():
    """Bash accepts every rendered shell file."""
    for path in ending(".sh"):
        told = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr
