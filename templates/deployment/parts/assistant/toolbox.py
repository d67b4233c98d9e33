"""The tools that a person allowed, read from a file once: what is not in it does not exist, all that is wrong in it is told."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .values import TYPES, Argument

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MARK = re.compile(r"\{([a-z][a-z0-9_]*)\}")
FIELDS = {"about", "arguments", "confirm", "critical", "timeout", "runs", "command", "apps"}
OF_AN_ARGUMENT = {"type", "optional", "choices", "min", "max", "to"}
SECONDS = 10
# what each built-in tool takes: its own names and types; `?` for what may be left out
BUILT_IN = {
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
# never without a question, whatever the file says: what these do cannot be taken back
ALWAYS_ASKED = {"clear_todos", "delete_file", "close_app", "send_message"}
SHELLS = {
    "sh", "bash", "dash", "zsh", "fish", "ksh", "csh", "tcsh", "ash", "busybox", "cmd", "powershell", "pwsh", "wscript",
    "cscript", "eval", "env", "xargs", "sudo", "su", "doas", "ssh", "python", "py", "perl", "ruby", "node", "php", "awk",
    "osascript",
}  # fmt: skip


class Faulty(Exception):
    """All that is wrong with a file of tools, one sentence each."""

    def __init__(self, faults):
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Tool:
    """One tool, as it was allowed."""

    name: str
    about: str = ""
    arguments: tuple = ()
    confirm: bool = False
    critical: bool = False
    timeout: float = SECONDS
    runs: str = ""  # a built-in tool
    command: tuple = ()  # or a program of the user
    apps: Mapping = None

    @property
    def asks(self):
        """Whether a person says yes before it runs."""
        return self.confirm or self.critical

    def line(self):
        """How it is told to a model."""
        told = ", ".join(f"{each.name}{'?' if each.optional else ''}: {_spelled(each)}" for each in self.arguments)
        return f"{self.name}({told})" + (f" - {self.about}" if self.about else "")


def _spelled(argument):
    return "|".join(argument.choices) if argument.type == "choice" else argument.type


def told(tools):
    """The whole list, for a model's first message."""
    return "\n".join(each.line() for each in tools.values())


def read(path, *, confirm=(), apps=None):
    """The tools of a JSON file, or of a YAML file where a reader of YAML is installed."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Faulty([f"{path} cannot be read: {error.strerror}"]) from None
    try:
        content = json.loads(text) if path.suffix == ".json" else _yaml(text, path)
    except ValueError as error:
        raise Faulty([f"{path}: {error}"]) from None
    return of(content, confirm=confirm, apps=apps)


def _yaml(text, path):
    try:
        import yaml
    except ImportError:
        raise Faulty([f"{path} is YAML, and no reader of it is installed: `pip install pyyaml`, or write it as JSON"]) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Faulty([f"{path}: {error}"]) from None


def of(content, *, confirm=(), apps=None):
    """Tools by name; every fault of the content in one error.

    `confirm` names further ones that a person says yes to, `apps` further applications: those of this machine.
    """
    if not isinstance(content, dict) or not isinstance(content.get("tools"), dict) or not content["tools"]:
        raise Faulty(["a file of tools is `tools:` with one tool or more, each by its name"])
    faults = [f"`{each}` is no field beside `tools`" for each in content if each != "tools"]
    tools = {}
    for name, fields in content["tools"].items():
        found = _Reading(name, {} if fields is None else fields, name in confirm, apps)
        faults += found.faults
        tools[name] = found.tool
    faults += [f"`confirm` names `{each}`, and there is no such tool" for each in confirm if each not in tools]
    if faults:
        raise Faulty(faults)
    return tools


class _Reading:
    """One tool of a file, and what is wrong with it."""

    def __init__(self, name, fields, confirm, apps):
        self.name, self.faults, self.tool, self.apps = name, [], None, apps
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self._fault("is no name: a letter, then small letters, digits and `_`")
        elif not isinstance(fields, dict):
            self._fault("has no fields: `about`, `arguments`, ...")
        else:
            self._fields(fields, confirm)

    def _fault(self, says):
        self.faults.append(f"tool `{self.name}` {says}")

    def _fields(self, fields, confirm):
        for each in sorted(map(str, set(fields) - FIELDS)):
            self._fault(f"has no field `{each}`: there are {', '.join(sorted(FIELDS))}")
        command, runs = fields.get("command"), fields.get("runs", "")
        if command is not None and runs:
            self._fault("has both `runs` and `command`: keep one")
        runs = "" if command is not None else runs or self.name
        if command is None and runs not in BUILT_IN:
            self._fault(f"runs nothing: give it a `command`, or `runs:` one of {', '.join(BUILT_IN)}")
            return
        apps = self._apps(fields.get("apps"), runs)
        arguments = self._arguments(fields.get("arguments"), runs, apps)
        self.tool = Tool(
            self.name,
            str(fields.get("about") or ""),
            arguments,
            self._flag(fields, "confirm") or confirm or runs in ALWAYS_ASKED,
            self._flag(fields, "critical"),
            self._seconds(fields.get("timeout", SECONDS)),
            runs,
            self._command(command, arguments) if command is not None else (),
            apps,
        )

    def _flag(self, fields, name):
        if not isinstance(fields.get(name, False), bool):
            self._fault(f"has a `{name}` that is neither true nor false")
        return fields.get(name) is True

    def _seconds(self, value):
        if isinstance(value, str) and (found := re.fullmatch(r"([0-9.]+)\s*s", value)) is not None:
            value = float(found[1])
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 600:
            self._fault("has a `timeout` that is no number of seconds between 0 and 600")
            return SECONDS
        return float(value)

    # --- arguments ---

    def _arguments(self, given, runs, apps):
        own = {name: (kind.rstrip("?"), kind.endswith("?")) for name, kind in BUILT_IN.get(runs, {}).items()}
        if given is None:
            given = {name: {"type": kind, "optional": optional} for name, (kind, optional) in own.items()}
        if not isinstance(given, dict):
            self._fault("has `arguments` that are no names with types")
            return ()
        made = [self._argument(name, fields, apps) for name, fields in given.items()]
        made = [each for each in made if each is not None]
        if not runs:
            return tuple(made)
        for each in made:
            if (each.to or each.name) not in own:
                self._fault(f"has the argument `{each.name}`, which `{runs}` has no use for: {', '.join(own) or 'it takes none'}")
        reached = {each.to or each.name for each in made if not each.optional}
        for name, (_, optional) in own.items():
            if not optional and name not in reached:
                self._fault(f"needs the argument `{name}`: `{runs}` does nothing without it")
        choices = tuple(sorted(apps or ()))
        return tuple(self._own(each, own.get(each.to or each.name, ("text",))[0], choices) for each in made)

    @staticmethod
    def _own(argument, kind, choices):
        if kind != "choice":
            return argument.narrowed(kind)
        if not choices:  # no application is known here: none is opened, whatever it is called
            return replace(argument, type="text")
        return replace(argument, type="choice", choices=argument.choices or choices)

    def _argument(self, name, fields, apps):
        fields = {"type": fields} if isinstance(fields, str) else fields
        if not isinstance(name, str) or not NAME.fullmatch(name) or not isinstance(fields, dict):
            self._fault(f"has `{name}` among its arguments, which is no name with a type")
            return None
        for each in sorted(map(str, set(fields) - OF_AN_ARGUMENT)):
            self._fault(f"has no `{each}` for the argument `{name}`: there are {', '.join(sorted(OF_AN_ARGUMENT))}")
        kind, choices = fields.get("type", "choice" if "choices" in fields else "text"), fields.get("choices", ())
        if kind not in TYPES:
            self._fault(f"has the type `{kind}` for `{name}`: there are {', '.join(TYPES)}")
            return None
        if (
            kind == "choice"
            and apps is None
            and not (isinstance(choices, list) and choices and all(isinstance(x, str) for x in choices))
        ):
            self._fault(f"has no `choices` for `{name}`")
        limits = [fields.get(each) for each in ("min", "max")]
        if any(each is not None and (isinstance(each, bool) or not isinstance(each, int | float)) for each in limits):
            self._fault(f"has a `min` or `max` for `{name}` that is no number")
            limits = [None, None]
        return Argument(name, kind, fields.get("optional") is True, tuple(choices), *limits, str(fields.get("to") or ""))

    # --- what runs ---

    def _apps(self, given, runs):
        if runs not in ("open_app", "close_app"):
            if given is not None:
                self._fault("has `apps`, which only `open_app` and `close_app` use")
            return None
        given = {} if given is None else given
        if not isinstance(given, dict) or not all(_is_command(each) for each in given.values()):
            self._fault("has `apps` that are no names with a command each: `firefox: [firefox]`")
            return None
        given = {**given, **(self.apps or {})}
        for name, command in given.items():
            self._program(command[0], f"the application `{name}`")
        return {str(name): tuple(command) for name, command in given.items()}

    def _command(self, command, arguments):
        if not _is_command(command):
            self._fault('has a `command` that is no list of texts: `[notify-send, "{text}"]`')
            return ()
        names, used = {each.name for each in arguments}, set()
        for at, part in enumerate(command):
            marks = set(MARK.findall(part))
            used |= marks
            if at == 0 and marks:
                self._fault("lets the model choose the program that runs: write its name")
            for each in sorted(marks - names):
                self._fault(f"uses `{{{each}}}`, which is none of its arguments")
        if used and self._is_shell(command[0]):
            self._fault(
                f"hands what the model writes to `{command[0]}`, which would read it as a program: name the program itself"
            )
        self._program(command[0], "its command")
        for each in sorted(names - used):
            self._fault(f"never uses its argument `{each}`: write `{{{each}}}` into the command")
        return tuple(command)

    @staticmethod
    def _is_shell(program):
        stem = re.split(r"[/\\]", program)[-1].casefold()
        stem = stem.removesuffix(".exe")
        return stem in SHELLS or re.sub(r"[0-9.]+$", "", stem) in SHELLS

    def _program(self, program, what):
        if program.casefold().endswith((".bat", ".cmd")):
            self._fault(f"runs a batch file in {what}: Windows reads its arguments as a program")


def _is_command(value):
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) and each for each in value)
