"""The assistant of a bundle, imported as the bundle has it, with what a model says written down beforehand."""

import datetime as dt
import importlib
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

TEMPLATES = Path(__file__).parents[2] / "templates"
MODULES = (
    "confined", "console", "deciding", "desk", "doing", "engine", "fitting", "loop", "memory", "reasons", "running", "safe",
    "toolbox", "values", "voice", "words", "__main__",
)  # fmt: skip
AT = dt.datetime(2026, 11, 27, 9, 30, tzinfo=dt.UTC)  # a Friday
TOOLS = {
    "tools": {
        "add_todo": {"about": "Ajoute une tâche.", "arguments": {"text": "text", "when": {"type": "date", "optional": True}}},
        "list_todos": None,
        "clear_todos": None,
        "note": None,
        "search_notes": None,
        "read_file": None,
        "write_file": {"confirm": True},
        "delete_file": {"critical": True},
        "calculator": None,
        "timer": {"arguments": {"minutes": "integer", "label": {"optional": True}}},
        "open_app": {"apps": {"lecteur": [sys.executable, "-c", "import time; time.sleep(60)"]}},
        "close_app": {"apps": {"lecteur": [sys.executable, "-c", "import time; time.sleep(60)"]}},
    }
}


@contextmanager
def package():
    """The modules of the part, and those that it finds beside itself; nothing of them is left behind."""
    homes = [str(TEMPLATES / "deployment/parts"), str(TEMPLATES / "shared"), str(TEMPLATES / "lib")]
    before, path = {*sys.modules}, list(sys.path)
    sys.path[:0] = homes
    try:
        found = {name.strip("_"): importlib.import_module(f"assistant.{name}") for name in MODULES}
        yield SimpleNamespace(**found, calling=importlib.import_module("calling"))
    finally:
        sys.path[:] = path
        for name in {*sys.modules} - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(TEMPLATES)):
                del sys.modules[name]


class Scripted:
    """A model whose answers are written down: it says them in order, and the last one again and again; it keeps what it read."""

    def __init__(self, *answers):
        self.answers, self.read = list(answers), []

    def say(self, messages):
        """The next of them."""
        self.read.append(messages)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @staticmethod
    def count(messages):
        """A word is a token, here."""
        return sum(len(each["content"].split()) + 3 for each in messages)


class Scene:
    """An assistant in a folder of its own."""

    def __init__(self, modules, home, *answers, tools=TOOLS, yes=(), context=512, persona=None):
        self.modules, self.home = modules, Path(home)
        self.files = self.home / "files"
        self.model = Scripted(*answers)
        self.asked = []  # what a person was asked to confirm
        self.yes = yes
        words = modules.words.words("fr")
        self.desk = modules.desk.opened(self.home, "files", inside=self.home / "program", words=words, clock=lambda: AT)
        self.desk.find = modules.memory.Memory(None, lambda: self.desk.rows("notes"))
        self.log = modules.desk.Log(self.home / "log.jsonl", lambda: AT)
        engine = modules.loop.Engine(self.model.say, self.model.count, context, ("<|im_start|>", "<|im_end|>", "<s>"))
        self.tools = modules.toolbox.of(tools)
        self.assistant = modules.loop.Assistant(
            engine, self.tools, self.desk, self.log, persona or modules.fitting.Persona("Tu es Jarvis."),
            confirm=self.confirm, name="jarvis",
        )  # fmt: skip

    def confirm(self, tool, arguments):
        """A person who says yes to some tools."""
        self.asked.append((tool.name, arguments))
        return tool.name in self.yes

    def ask(self, question="Fais-le."):
        """What it replies."""
        return self.assistant.ask(question)

    def events(self, name=None):
        """The lines of the log, or those of one sort."""
        rows = [json.loads(each) for each in self.log.path.read_text(encoding="utf-8").split("\n")[:-1]]
        return [each for each in rows if name is None or each["event"] == name]

    def ran(self):
        """The tools that ran, by the log."""
        return [each["tool"] for each in self.events("runs")]
