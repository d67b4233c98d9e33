"""What the pinned vLLM takes, asked of its own parser: no accelerator, and none of the libraries that it computes with.

python .ci/vllm_table.py fetch FOLDER           its package, about 340 MB, and the few others that its parser cannot do without
python .ci/vllm_table.py write FOLDER           the table in zyc/craft/deploying/vllm_options.py
python .ci/vllm_table.py read FOLDER ARGUMENT…  what `vllm serve ARGUMENT…` understands, as JSON
"""

import argparse
import importlib.abc
import importlib.machinery
import json
import os
import subprocess
import sys
import types
from pathlib import Path

NEEDED = ("msgspec", "cachetools", "pyzmq", "openai_harmony", "uvloop", "cbor2", "pybase64", "partial-json-parser", "blake3")
LEFT_OUT = ("help", "config", "model")  # said by hand, or by the bundle
ROOT = Path(__file__).parent.parent
START, END = "# --- written by .ci/vllm_table.py ---\n", "\n# --- end ---\n"


def version() -> str:
    """The pinned one."""
    sys.path.insert(0, str(ROOT))
    from zyc.craft.deploying.vllm import VERSION

    return VERSION


def fetch(folder: str) -> None:
    """Install it, without what it wants."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", folder]
    subprocess.run([*pip, f"vllm=={version()}", *NEEDED], check=True)


class Absent(types.ModuleType):
    """Stands for a library that is not there: whatever is asked of it is a class."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Absence(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what vLLM imports and nobody has."""

    def __init__(self, folder: str) -> None:
        self.home, self.absent = str(Path(folder).resolve() / "vllm"), set[str]()

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Only for vLLM: libraries that are there try imports of their own, and are to see them fail."""
        top = name.partition(".")[0]
        if top == "vllm" or (top not in self.absent and importlib.machinery.PathFinder.find_spec(top)):
            return None
        frame = sys._getframe(1)  # noqa: SLF001
        while "importlib" in frame.f_code.co_filename and frame.f_back:
            frame = frame.f_back
        if top not in self.absent and not frame.f_code.co_filename.startswith(self.home):
            return None
        self.absent.add(top)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """A stand-in."""
        return Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing in it."""


def parser(folder: str) -> argparse.ArgumentParser:
    """That of `vllm`, with its `serve`."""
    os.environ |= {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_TARGET_DEVICE": "cpu"}
    sys.path.insert(0, folder)
    sys.meta_path.append(Absence(folder))
    from vllm.entrypoints.cli.serve import cmd_init
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    made = FlexibleArgumentParser(prog="vllm")
    (serve,) = cmd_init()
    serve.subparser_init(made.add_subparsers(dest="subparser")).set_defaults(validate=serve.validate)
    return made


def read(folder: str, given: list[str]) -> None:
    """What vLLM understands of a command line, with its own checks behind it."""
    made = parser(folder)
    told = made.parse_args(["serve", *given])
    told.validate(told)
    print(json.dumps({name: value for name, value in vars(told).items() if name != "validate"}, default=str))


def kind(action: argparse.Action) -> str:
    """What stands behind an option: `switch`, `flag` (without a `no-` of its own), `int`, `float`, `json`, choices, `text`."""
    if action.nargs == 0:
        return "switch" if any(each.startswith("--no-") for each in action.option_strings) else "flag"
    choices = "|".join(map(str, action.choices or ()))
    if choices:
        return choices if len(choices) < 100 else "text"
    taken = [each for each in ("x", "1k", "1.5", "7", "{}") if _takes(action, each)]
    return {("1.5", "7"): "float", ("7",): "int", ("1.5", "7", "{}"): "json", ("{}",): "json"}.get(tuple(taken), "text")


def _takes(action: argparse.Action, text: str) -> bool:
    try:
        (action.type or str)(text)
    except (argparse.ArgumentTypeError, TypeError, ValueError):
        return False
    return True


def write(folder: str) -> None:
    """The table, sorted."""
    made = parser(folder)
    (serve,) = made._subparsers._group_actions[0].choices.values()  # noqa: SLF001
    table = {}
    for each in serve._actions:  # noqa: SLF001
        names = [name.removeprefix("--") for name in each.option_strings if name.startswith("--")]
        table |= {name: kind(each) for name in names if name not in LEFT_OUT and not name.startswith("no-")}
    lines = [f'FROM = "{version()}"', "OPTIONS: Mapping[str, str] = {", "   "]
    for name, told in sorted(table.items()):
        word = f' "{name}": "{told}",'
        if len(lines[-1] + word) > 130:
            lines.append("   ")
        lines[-1] += word
    path = ROOT / "zyc/craft/deploying/vllm_options.py"
    head, rest = path.read_text(encoding="utf-8").split(START)
    path.write_text(head + START + "\n".join([*lines, "}  # fmt: skip"]) + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    verb, place, *more = sys.argv[1:]
    if verb == "read":
        read(place, more)
    else:
        {"fetch": fetch, "write": write}[verb](place)
