"""A step of a kind by hand: its folder as a build would lay it out, over inputs that a test made."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from zyc import kinds
from zyc.kind import Case, Spec
from zyc.place.toolchain import shipped
from zyc.planning.render import RecipeFields, fill, pinned
from zyc.types import Model
from zyc.world import World

TEMPLATES = Path(__file__).parent.parent.parent / "templates"
PINS = {f"package:{name}": version for name, version in shipped(World()).items()}


def stand(folder, name, links, facts=None, told=None):
    """The step folder of a kind, with links to its inputs; `told` are its fields where the recipe reads them."""
    kind = kinds.load(name)
    spec = kind.Spec.model_validate(told) if told else kind.Spec.model_construct()
    made = kind.recipe(Case(spec, facts or {field: Model() for field in links}, pins=PINS))
    for part in ("recipe", "placement"):
        (folder / part).mkdir(parents=True)
        for path in (TEMPLATES / name / part).iterdir():
            (folder / part / path.name).write_text(pinned(fill(path.read_text(), path.name, _seen(made.values)), PINS))
    (folder / "harness").mkdir()
    modules = [(TEMPLATES / "shared" / each, "recipe") for each in kind.shares]
    modules += [(path, "recipe") for path in sorted(Path(TEMPLATES, name, "lib").glob("*.py"))]
    modules += [(TEMPLATES / "lib" / each, "harness") for each in kind.harness]
    for path, part in modules:
        (folder / part / path.name).write_text(path.read_text())
    (folder / "run.sh").write_text((TEMPLATES / "run.sh").read_text())
    (folder / "in").mkdir()
    for field, target in links.items():
        (folder / "in" / field).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / field).symlink_to(target)
    return folder


def run(folder):
    """What it printed, and its measures; a step that fails is an error with its last words."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        ["bash", "run.sh"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise Failed(done.stdout)
    return done.stdout, json.loads((folder / "measures.json").read_text())


def _seen(values):
    """What a template sees of a spec."""
    return {name: RecipeFields(each) if isinstance(each, Spec) else each for name, each in values.items()}


class Failed(Exception):
    """A step that ended badly."""


def module(path):
    """A plain module of templates/, such as `shared/sayings.py`; those that it needs are found beside it."""
    told = importlib.util.spec_from_file_location(Path(path).stem, TEMPLATES / path)
    loaded = sys.modules[told.name] = importlib.util.module_from_spec(told)  # a dataclass looks its module up
    sys.path.insert(0, str((TEMPLATES / path).parent))
    try:
        told.loader.exec_module(loaded)
    finally:
        sys.path.pop(0)
    return loaded
