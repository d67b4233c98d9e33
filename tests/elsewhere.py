"""Another machine: a rendered notebook runs there cell by cell, or a batch job, and zyc is not to be imported."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

# Runs the code of each cell in one process, as a kernel does, and nothing else.
_KERNEL = """
import json, sys
sys.path[:] = [each for each in sys.path if each]
told = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code" and cell["id"] not in sys.argv[2:]:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), told)
"""


def cells(notebook: Path) -> dict[str, str]:
    """The code of a notebook, by the ids of its cells."""
    told = json.loads(notebook.read_text(encoding="utf-8"))
    return {each["id"]: "".join(each["source"]) for each in told["cells"] if each["cell_type"] == "code"}


def files_in(notebook: Path) -> dict[str, bytes]:
    """The files that a notebook writes, read off its cells without running them."""
    calls = [node for text in cells(notebook).values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    puts = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id == "put"]
    return {ast.literal_eval(each.args[0]): ast.literal_eval(each.args[1]).encode() for each in puts}


def machine_without_zyc(home: Path) -> str:
    """An environment of its own with the same engines and without zyc; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (target,) = Path(home).glob("lib/python*/site-packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "zyc" not in path.name and not (target / path.name).exists():
            (target / path.name).symlink_to(path)
    python = str(Path(home) / "bin" / "python")
    assert subprocess.run([python, "-I", "-c", "import zyc"], capture_output=True, check=False).returncode == 1
    return python


@dataclass
class Elsewhere:
    """A folder on another machine; `python` is the one that it has."""

    root: Path
    python: str = sys.executable

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    def bring(self, *files: Path) -> None:
        """Carry files there."""
        for each in files:
            shutil.copy(each, self.root)

    def environ(self, **more: str) -> dict[str, str]:
        """What programs see there: nothing of the project."""
        path = os.pathsep.join([str(Path(self.python).parent), os.defpath])
        return {"PATH": path, "HOME": str(self.root), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **more}

    def run(self, notebook: str, *without: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the cells of a notebook, but for some."""
        words = [self.python, "-c", _KERNEL, notebook, *without]
        env = self.environ(**environ)
        return subprocess.run(words, cwd=self.root, env=env, capture_output=True, text=True, check=False, timeout=600)

    def job(self, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the batch job of a folder, as a machine without a cluster does."""
        words, env = ["bash", "job.sbatch"], self.environ(**environ)
        return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600)
