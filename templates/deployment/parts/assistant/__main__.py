"""Starts the assistant of a bundle: a conversation, one answer (`--ask`), or a look at whether all of it is there (`--check`)."""

import argparse
import json
import os
import sys
from pathlib import Path

from . import desk as desks
from . import engine as engines
from . import toolbox
from .console import Console
from .fitting import Persona
from .loop import STEPS, Assistant
from .memory import Memory, index_of
from .words import words


def arguments(given=None):
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m assistant", description=__doc__)
    parser.add_argument("--ask", metavar="TEXT", help="one request, its answer, and the end")
    parser.add_argument("--check", action="store_true", help="look whether model, tools, notes and folders are there, and end")
    parser.add_argument("--voice", action="store_true", help="listen and speak (an extra: says what it needs)")
    parser.add_argument("--bundle", default=".", metavar="FOLDER", help="the bundle's folder; this one if not given")
    parser.add_argument(
        "--home", metavar="FOLDER", help="where log, tasks and notes are kept; ASSISTANT_HOME, or `home` in the bundle"
    )
    parser.add_argument("--folder", metavar="FOLDER", help="the one folder whose files tools may touch")
    parser.add_argument("--persona", metavar="NAME", help="one of the bundle's prompts; the first if not given")
    parser.add_argument("--server", metavar="URL", help="a llama-server that runs already, instead of the model in this process")
    return parser.parse_args(given)


def bundle_of(folder):
    """What bundle.json says."""
    path = Path(folder, "bundle.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SystemExit(
            f"error: {path} is not there\nhelp: start this in the folder of the bundle, or name it: --bundle FOLDER"
        ) from None
    except ValueError as error:
        raise SystemExit(f"error: {path} cannot be read: {error}") from None


def persona_of(folder, told, name=None):
    """The prompt of that name; the first, or one that says nothing, where none is named."""
    prompts = told.get("prompts") or {}
    if name is not None and name not in prompts:
        raise SystemExit(f"error: no persona `{name}`: there are {', '.join(prompts) or 'none'}")
    if not prompts:
        return Persona(), told.get("name") or "assistant"
    label = name or next(iter(prompts))
    home = Path(folder, prompts[label])
    written = json.loads((home / "prompt.json").read_text(encoding="utf-8"))
    persona = Persona(
        written.get("system") or "",
        written.get("few_shot") or [],
        written.get("sampling") or {},
        index_of(home / "retrieval") if written.get("retrieval") else None,
        written.get("arguments") or {},
    )
    return persona, label or told.get("name") or "assistant"


def tools_of(folder, settings, home):
    """The tools of the bundle, with the applications of this machine."""
    path = Path(home, "apps.json")
    try:
        apps = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        return toolbox.read(Path(folder, settings.get("tools") or "tools.json"), confirm=settings.get("confirm") or (), apps=apps)
    except ValueError as error:
        raise SystemExit(f"error: {path} cannot be read: {error}") from None
    except toolbox.Faulty as faulty:
        raise SystemExit("\n".join(f"error: {each}" for each in faulty.faults)) from None


def assembled(given):
    """The assistant with all that it stands on, and the console before it."""
    folder = Path(given.bundle).resolve()
    told = bundle_of(folder)
    settings = told.get("settings") or {}
    said = words(settings.get("language") or "fr")
    home = Path(given.home or os.environ.get("ASSISTANT_HOME") or folder / "home").resolve()
    place = given.folder or settings.get("folder") or "files"
    desk = desks.opened(home, place, inside=folder, words=said)
    tools = tools_of(folder, settings, home)
    persona, label = persona_of(folder, told, given.persona)
    index = index_of(folder / told["index"]) if told.get("index") else None
    desk.find = Memory(index, lambda: desk.rows("notes"))
    if given.server:
        engine = engines.served(given.server, persona, told["context"])
    else:
        engines.checked(folder, told)
        engine = engines.in_process(folder, told, persona)
    log = desks.Log(home / "log.jsonl")
    made = Assistant(engine, tools, desk, log, persona, steps=settings.get("steps") or STEPS, name=label)
    return made, settings


def report(assistant, tell=print):
    """What is there, for `--check`."""
    tell(f"model    answers, {assistant.engine.context:,} tokens of context")
    asking = [each.name for each in assistant.tools.values() if each.asks]
    tell(f"tools    {', '.join(assistant.tools)}")
    tell(f"asks     {', '.join(asking) or 'before none of them'}")
    found = assistant.desk.find.index
    tell(
        f"notes    {len(found.passages):,} passages" if found is not None else "notes    only those that are written from now on"
    )
    tell(f"folder   {assistant.desk.folder.root}")
    tell(f"log      {assistant.log.path}")
    assistant.engine.say([{"role": "user", "content": "?"}])
    assistant.log("checked")


def main(given=None):
    """The whole of it; 0, or 1 where a call of the one request was refused."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console of Windows may lack letters
    given = arguments(given)
    assistant, settings = assembled(given)
    if given.check:
        report(assistant)
        return 0
    console = Console(assistant)
    assistant.confirm = console.confirm if given.ask is None or sys.stdin.isatty() else assistant.confirm
    if given.voice or (settings.get("voice") and given.ask is None):
        from .voice import Voice

        voice = Voice(assistant.desk.home, settings.get("language") or "fr")
        console.hear, console.speak = (voice.hear if given.ask is None else None), voice.speak
    if given.ask is not None:
        return 0 if console.once(given.ask) else 1
    console.talk()
    return 0


if __name__ == "__main__":
    sys.exit(main())
