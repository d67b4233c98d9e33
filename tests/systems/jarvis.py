"""jarvis in a folder of its own: its spec, the rows that its grammars write, and the rules that its calls meet."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from zyc.craft.rows.grammar import read

ROOT = Path(__file__).parents[2]
DATA = ROOT / "specs" / "data" / "jarvis"
PARTS = ("calls", "apps", "plans", "replies", "talk")


def write(folder):
    """The project, as it is."""
    shutil.copytree(DATA, folder / "specs" / "data" / "jarvis")
    shutil.copyfile(ROOT / "specs" / "jarvis-nano.yml", folder / "specs" / "jarvis-nano.yml")


def spec():
    """The spec, as plain data."""
    return YAML(typ="safe").load((ROOT / "specs" / "jarvis-nano.yml").read_text(encoding="utf-8"))


def tools():
    """The tools that may be called, as plain data."""
    return YAML(typ="safe").load((DATA / "tools.yml").read_text(encoding="utf-8"))["tools"]


@contextmanager
def modules(folder, *names):
    """Plain modules of recipes; nothing of them is left behind."""
    import importlib
    from types import SimpleNamespace

    templates = ROOT / "templates"
    before, path = {*sys.modules}, list(sys.path)
    sys.path[:0] = [str(templates / folder), str(templates / "shared"), str(templates / "lib")]
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path[:] = path
        for name in {*sys.modules} - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(templates)):
                del sys.modules[name]


@contextmanager
def rules():
    """What decides about calls in the application, and the tools that it is allowed."""
    with modules("deployment/parts", "assistant.deciding", "assistant.toolbox") as found:
        yield vars(found)["assistant.deciding"], vars(found)["assistant.toolbox"].of({"tools": tools()})


def rows():
    """What each grammar writes, by part: the rows that are taught, and those that are asked."""
    sets, told = spec()["datasets"], {}
    with modules("dataset/lib", "grammar") as found:
        for part in PARTS:
            grammar = read(YAML(typ="base").load((DATA / f"{part}.grammar.yml").read_text(encoding="utf-8"))).plain()
            told[part] = tuple(
                [row for _, row in found.grammar.Grammar(grammar, asked(sets[name]["generate"])).rows()]
                for name in (f"jarvis-{part}", f"jarvis-asked-{part}")
            )
    return told


def asked(generate):
    """What a spec asks of a grammar, as the step has it."""
    share = float(generate["holdout"]["share"].rstrip("%")) / 100
    holdout = {"slots": generate["holdout"]["slots"], "share": share, "combinations": [], "seed": 0}
    return {
        "count": generate["count"], "balance": {"form": {}}, "holdout": holdout, "side": generate["side"], "copies": None,
        "seed": generate["seed"],
    }  # fmt: skip


def build(folder, *more):
    """Build it as a twin, and what became of each node."""
    call = [sys.executable, "-m", "zyc", "build", "specs/jarvis-nano.yml", "--twin", "--json", *more]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return {each["node"]: each for each in events if each.get("event") == "end"}


def answers(folder, node, task):
    """What an exam asked and what was answered."""
    path = folder / "artifacts" / "twin" / node / "tasks" / task / "rows.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
