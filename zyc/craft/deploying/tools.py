"""The tools of an assistant, as a file of the user's says them: checked before anything is packed, with the line of a fault."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from zyc.errors import guess

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MARK = re.compile(r"\{([a-z][a-z0-9_]*)\}")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*s?")
TYPES = ("text", "integer", "number", "choice", "date", "time", "path")
FIELDS = ("about", "apps", "arguments", "command", "confirm", "critical", "runs", "timeout")
OF_AN_ARGUMENT = ("choices", "max", "min", "optional", "to", "type")
# what the assistant can do by itself, and what each takes; `?` for what may be left out. A test holds it against the part
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "add_todo": {"text": "text", "when": "text?"},
    "list_todos": {"about": "text?"},
    "clear_todos": {"about": "text"},
    "note": {"text": "text"},
    "search_notes": {"query": "text"},
    "read_file": {"path": "path"},
    "write_file": {"path": "path", "text": "text"},
    "delete_file": {"path": "path"},
    "list_files": {},
    "open_app": {"name": "choice"},
    "close_app": {"name": "choice"},
    "send_message": {"to": "text", "text": "text"},
    "timer": {"minutes": "number", "label": "text?"},
    "now": {},
    "calculator": {"expression": "text"},
}
# where no file says anything: what harms nobody
USUAL: Mapping[str, Any] = {
    name: {}
    for name in ("add_todo", "list_todos", "note", "search_notes", "read_file", "list_files", "timer", "now", "calculator")
}
# what would read a value as a program
SHELLS = frozenset({
    "sh", "bash", "dash", "zsh", "fish", "ksh", "csh", "tcsh", "ash", "busybox", "cmd", "powershell", "pwsh", "wscript",
    "cscript", "eval", "env", "xargs", "sudo", "su", "doas", "ssh", "python", "py", "perl", "ruby", "node", "php", "awk",
    "osascript",
})  # fmt: skip


class Wrong(Exception):
    """What is wrong with a file of tools: the line, a sentence, the next step."""

    def __init__(self, at: object, says: str, help_: str = "") -> None:
        super().__init__(says)
        self.line = int(getattr(at, "line", 0))
        self.says = says
        self.help = help_


def read(data: object) -> dict[str, dict[str, Any]]:
    """The tools that a file holds, as JSON has them; raises Wrong with the line."""
    top = _mapping(data, data, "a file of tools", "start with `tools:`")
    _known(top, ("tools",), "a file of tools")
    tools = _mapping(top.get("tools"), data, "`tools`", "write `name: {about: ..., arguments: {...}}`")
    return {str(name): _tool(name, {} if _is_nothing(each) else each) for name, each in tools.items()}


def line(name: str, tool: Mapping[str, Any]) -> str:
    """How a tool is told to a model: about as long as the assistant will have it."""
    told = tool.get("arguments") or BUILT_IN.get(tool.get("runs") or name, {})
    return f"{name}({', '.join(told)}) - {tool.get('about', '')}" + " " * 8 * len(told)


def _wrong(at: object, says: str, help_: str = "") -> NoReturn:
    raise Wrong(at, says, help_)


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and getattr(value, "plain", False) and value in ("", "~", "null"))


def _mapping(value: object, at: object, what: str, help_: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        _wrong(value if hasattr(value, "line") else at, f"{what} is a mapping", help_)
    return value


def _known(value: Mapping[str, Any], words: Sequence[str], what: str) -> None:
    for key in value:
        if key not in words:
            _wrong(key, f"{what} has no `{key}`", guess(str(key), words, listed="it has"))


def _tool(name: str, value: object) -> dict[str, Any]:
    if NAME.fullmatch(name) is None:
        _wrong(name, f"`{name}` is no name of a tool", "names are lower-case letters, digits and `_`")
    told = value if isinstance(value, Mapping) else _mapping(value, name, f"the tool `{name}`", "write `{about: ...}`")
    _known(told, FIELDS, f"the tool `{name}`")
    runs = str(told.get("runs", "" if "command" in told else name))
    if "command" in told and "runs" in told:
        _wrong(told["runs"], f"the tool `{name}` has both `runs` and `command`", "keep one")
    if "command" not in told and runs not in BUILT_IN:
        hint = guess(runs, list(BUILT_IN), listed="built in are")
        _wrong(told.get("runs", name), f"the tool `{name}` runs nothing", f"give it a `command: [program, ...]`; {hint}")
    made: dict[str, Any] = {}
    if "about" in told:
        made["about"] = str(told["about"])
    if "runs" in told:
        made["runs"] = runs
    made |= {word: _flag(told[word], f"`{word}` of `{name}`") for word in ("confirm", "critical") if word in told}
    if "timeout" in told:
        made["timeout"] = _seconds(told["timeout"], name)
    if "apps" in told:
        made["apps"] = _apps(told["apps"], name, runs)
    if "arguments" in told:
        made["arguments"] = _arguments(told["arguments"], name, runs, apps="apps" in made)
    if "command" in told:
        made["command"] = _command(told["command"], name, made.get("arguments", {}))
    return made


def _flag(value: object, what: str) -> bool:
    if value not in ("true", "false"):
        _wrong(value, f"{what} is `true` or `false`", "")
    return value == "true"


def _seconds(value: object, name: str) -> float:
    found = SECONDS.fullmatch(str(value))
    if found is None or not 0 < float(found[1]) <= 600:
        _wrong(value, f"`timeout` of `{name}` is no time between 0 and 600 s", "write `timeout: 10 s`")
    return float(found[1])


# --- arguments ---


def _arguments(value: object, name: str, runs: str, *, apps: bool) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _wrong(value, f"`arguments` of `{name}` is a mapping", "write `{text: text, when: {type: date, optional: true}}`")
    made = {str(key): _argument(key, each, name, free=runs in ("open_app", "close_app") or apps) for key, each in value.items()}
    own = BUILT_IN.get(runs)
    if own is None:
        return made
    reached = set()
    for key, each in made.items():
        to = each.get("to") or key
        if to not in own:
            at = next(word for word in value if word == key)
            _wrong(at, f"`{runs}` has no use for `{to}`", guess(to, list(own), listed="it takes") if own else "it takes nothing")
        reached |= {to} if not each.get("optional") else set()
    for key, kind in own.items():
        if not kind.endswith("?") and key not in reached:
            _wrong(value, f"the tool `{name}` needs the argument `{key}`", f"`{runs}` does nothing without it: `{key}: {kind}`")
    return made


def _argument(key: str, value: object, name: str, *, free: bool) -> dict[str, Any]:
    if NAME.fullmatch(key) is None:
        _wrong(key, f"`{key}` is no name of an argument", "names are lower-case letters, digits and `_`")
    told: Mapping[str, Any] = {"type": value} if isinstance(value, str) else _mapping(value, key, f"`{key}`", "write its type")
    _known(told, OF_AN_ARGUMENT, f"the argument `{key}`")
    kind = told.get("type", "choice" if "choices" in told else "text")
    if kind not in TYPES:
        _wrong(kind, f"`{key}` of `{name}` has the type `{kind}`", guess(str(kind), TYPES, listed="there are"))
    choices = told.get("choices")
    if choices is not None and (not isinstance(choices, list | tuple) or not choices):
        _wrong(choices, f"`choices` of `{key}` is a list", "write `choices: [one, two]`")
    if kind == "choice" and choices is None and not free:
        _wrong(key, f"`{key}` of `{name}` has no `choices`", "write `choices: [one, two]`")
    made: dict[str, Any] = {"type": str(kind)}
    if choices is not None:
        made["choices"] = [str(each) for each in choices]
    if "optional" in told:
        made["optional"] = _flag(told["optional"], f"`optional` of `{key}`")
    for word in ("min", "max"):
        if word in told:
            if NUMBER.fullmatch(str(told[word])) is None:
                _wrong(told[word], f"`{word}` of `{key}` is no number", "")
            made[word] = float(told[word])
    return made | ({"to": str(told["to"])} if "to" in told else {})


# --- what runs ---


def _apps(value: object, name: str, runs: str) -> dict[str, list[str]]:
    if runs not in ("open_app", "close_app"):
        _wrong(value, f"the tool `{name}` has no use for `apps`", "only `open_app` and `close_app` have")
    told = _mapping(value, name, f"`apps` of `{name}`", "write `firefox: [firefox]`")
    return {str(app): _parts(command, f"the application `{app}`", app) for app, command in told.items()}


def _parts(value: object, what: str, at: object) -> list[str]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(each, str) and each for each in value):
        _wrong(
            value if hasattr(value, "line") else at, f"the command of {what} is a list of texts", "write `[program, argument]`"
        )
    if str(value[0]).lower().endswith((".bat", ".cmd")):
        _wrong(value[0], f"{what} runs a batch file", "Windows reads its arguments as a program: name the program itself")
    return [str(each) for each in value]


def _command(value: object, name: str, arguments: Mapping[str, Any]) -> list[str]:
    parts = _parts(value, f"the tool `{name}`", name)
    if MARK.search(parts[0]):
        _wrong(value, f"the tool `{name}` lets the model choose the program that runs", "write the name of a program")
    used = {mark for part in parts for mark in MARK.findall(part)}
    for mark in sorted(used - set(arguments)):
        _wrong(value, f"`{{{mark}}}` is none of the arguments of `{name}`", guess(mark, list(arguments), listed="it has"))
    for key in sorted(set(arguments) - used):
        _wrong(value, f"the command of `{name}` never uses its argument `{key}`", f"write `{{{key}}}` into it, or leave it out")
    stem = re.split(r"[/\\]", parts[0])[-1].lower().removesuffix(".exe")
    if used and (stem in SHELLS or re.sub(r"[0-9.]+$", "", stem) in SHELLS):
        _wrong(value, f"`{parts[0]}` would read what the model writes as a program", "name the program that is to run")
    return parts
