"""A step run in this process: the same rendered script, without a second start of the engines."""

import contextlib
import io
import json
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a step left, and what it said."""

    home: Path
    log: str
    error: str = ""

    @property
    def out(self):
        """Its result."""
        return self.home / "out"

    @property
    def measures(self):
        """What it measured."""
        return json.loads((self.home / "measures.json").read_text())


def run(front, name, home, places, *, script=None):
    """Render a node into a folder, link its inputs, run its script; a step that ends with a sentence has it as its error."""
    home = Path(home)
    node = front.graph.vertices[name]
    for path, text in front.settlement.rendered(node).files().items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    for folder in ("in", "out", "state", "tmp"):
        (home / folder).mkdir(exist_ok=True)
    for place, target in places.items():
        (home / "in" / place).parent.mkdir(exist_ok=True)
        (home / "in" / place).symlink_to(Path(target).resolve())
    said, error = io.StringIO(), ""
    before, path, cwd = {*sys.modules}, list(sys.path), Path.cwd()
    sys.path[:0] = [str(home / "recipe"), str(home / "harness")]
    environ = dict(os.environ)
    os.chdir(home)
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(f"recipe/{script or node.kind}.py", run_name="__main__")
    except SystemExit as told:
        error = str(told)
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path
        for each in {*sys.modules} - before:
            if str(getattr(sys.modules[each], "__file__", "") or "").startswith(str(home)):
                del sys.modules[each]
    return Ran(home, said.getvalue(), error)
