"""A plain conversation in a terminal: what the model says is indented, so that nothing of it passes for a question of ours."""

import contextlib
import threading

from . import doing
from .safe import indented, shown
from .words import COMMANDS

SECONDS = 1.0  # between two looks at the timers


class Console:
    """Lines in, lines out."""

    def __init__(self, assistant, *, line=input, tell=print, hear=None, speak=None):
        self.assistant, self.words = assistant, assistant.words
        self.line, self.tell, self.hear, self.speak = line, tell, hear, speak

    def confirm(self, tool, arguments):
        """Whether the person says yes, now, to exactly this."""
        self.tell(f"{self.words['wants'].format(name=self.assistant.name)}:")
        self.tell(indented(f"{tool.name}" + "".join(f"\n  {name} = {_one_line(value)}" for name, value in arguments.items())))
        try:
            said = self.line(self.words["critical"] if tool.critical else self.words["sure"]).strip()
        except (EOFError, KeyboardInterrupt):
            return False
        return said == tool.name if tool.critical else said.casefold() in self.words["yes"]

    def once(self, question):
        """One request and its answer; whether all that was asked for was done."""
        reply = self.assistant.ask(question)
        for each in reply.done:
            if each.what == "ran" and not each.why:
                self.tell(f"[{each.tool}] {_one_line(each.text)}")
        for each in reply.notices:
            self.tell(shown(each))
        first, *rest = shown(reply.text).split("\n")
        self.tell("\n".join([f"{self.assistant.name} > {first}", *(f"    {each}" for each in rest)]))
        if self.speak is not None:
            self.speak(reply.text)
        return not any(each.what in ("refused", "skipped") for each in reply.done)

    def talk(self):
        """Until the person leaves."""
        folder = self.assistant.desk.folder.root
        self.tell(self.words["hello"].format(name=self.assistant.name, tools=len(self.assistant.tools), folder=folder))
        with self._timers():
            while True:
                try:
                    said = (self.hear or self._typed)().strip()
                except (EOFError, KeyboardInterrupt):
                    break
                if said.startswith("/"):
                    if not self._command(said):
                        break
                elif said:
                    self.once(said)
        self.tell(self.words["bye"])

    def _typed(self):
        return self.line(f"{self.words['you']} > ")

    def _command(self, said):
        """Do what a command says; whether the conversation goes on."""
        meant = COMMANDS.get(said.casefold())
        if meant == "end":
            return False
        if meant == "help":
            self.tell(self.words["help"])
        elif meant == "tools":
            for tool in self.assistant.tools.values():
                self.tell(("! " if tool.critical else "? " if tool.confirm else "  ") + tool.line())
        elif meant == "log":
            self.tell(shown("\n".join(self.assistant.log.last(10))))
        elif meant == "forget":
            self.assistant.forget()
            self.tell(self.words["ok"])
        else:
            self.tell(self.words["unknown"])
        return True

    @contextlib.contextmanager
    def _timers(self):
        """Timers are told as soon as they are over, also while the person thinks."""
        over = threading.Event()

        def watch():
            while True:
                for label in doing.due(self.assistant.desk):
                    self.tell(self.words["timer"].format(label=_one_line(label)))
                if over.wait(SECONDS):
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join(2 * SECONDS)


def _one_line(value):
    return shown(str(value).replace("\\", "\\\\")).replace("\n", "\\n").replace("\t", "\\t")
