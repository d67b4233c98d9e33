"""Writes zyc/craft/engines.py: settings of the pinned trl and their types; a plan checks them without importing it."""

import dataclasses
import importlib
import os
import re
import types
import typing
from pathlib import Path

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

CONFIGS = {
    "SFTConfig": "trl",
    "DPOConfig": "trl",
    "KTOConfig": "trl",
    "RewardConfig": "trl",
    "GRPOConfig": "trl",
    "RLOOConfig": "trl",
    "DistillationConfig": "trl",
    "ORPOConfig": "trl.experimental.orpo",
    "GKDConfig": "trl.experimental.gkd",
    "GOLDConfig": "trl.experimental.gold",
}
SIMPLE = {bool: "bool", int: "int", float: "float", str: "str", dict: "dict", list: "list", tuple: "list", type(None): "None"}


def words(told: object) -> list[str]:
    """A type as `float | None`; what is none of YAML's is named as it is."""
    origin = typing.get_origin(told)
    if origin in (typing.Union, types.UnionType):
        return list(dict.fromkeys(word for each in typing.get_args(told) for word in words(each)))
    if origin is typing.Literal:
        return list(dict.fromkeys(SIMPLE[type(each)] for each in typing.get_args(told)))
    plain = SIMPLE.get(origin or told)
    return [plain or re.sub(r"\W+", " ", getattr(told, "__name__", str(told))).strip()]


def settings(name: str) -> dict[str, str]:
    """Every field of a configuration of the engine, and its type."""
    config = getattr(importlib.import_module(CONFIGS[name]), name)
    hints = typing.get_type_hints(config)
    return {each.name: " | ".join(words(hints[each.name])) for each in dataclasses.fields(config) if each.init}


def table() -> dict[str, dict[str, str]]:
    """What all of them share once, and what each has besides."""
    every = {name: settings(name) for name in CONFIGS}
    first = next(iter(every.values()))
    shared = {name: kind for name, kind in first.items() if all(each.get(name) == kind for each in every.values())}
    return {
        "": dict(sorted(shared.items())),
        **{name: {at: kind for at, kind in sorted(told.items()) if shared.get(at) != kind} for name, told in every.items()},
    }


def written() -> str:
    """The tables as they stand in the module."""
    lines = ["_TABLES: Mapping[str, Mapping[str, str]] = {"]
    for name, told in table().items():
        lines += [f'    "{name}": {{', *filled([f'"{at}": "{kind}",' for at, kind in told.items()]), "    },"]
    return "\n".join([*lines, "}  # fmt: skip"])


def filled(words: list[str], indent: str = " " * 8, width: int = 128) -> list[str]:
    """Words in as few lines as they take."""
    lines = [indent]
    for word in words:
        if len(lines[-1]) + len(word) >= width:
            lines.append(indent)
        lines[-1] += f"{word} "
    return [line.rstrip() for line in lines]


if __name__ == "__main__":
    path = Path(__file__).parent.parent / "zyc" / "engines.py"
    start, end = "# --- written by .ci/engines.py ---\n", "\n# --- end ---\n"
    text = path.read_text(encoding="utf-8")
    head, rest = text.split(start)
    path.write_text(head + start + written() + end + rest.split(end)[1], encoding="utf-8")
