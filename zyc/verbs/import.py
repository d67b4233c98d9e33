"""`zyc import`: a file of another tool as a spec."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from zyc.errors import Problem, ZycError, problem
from zyc.front import Call
from zyc.importers import TOOLS, Asked, Imported, Row, read
from zyc.importers.draft import as_name
from zyc.importers.given import Fate
from zyc.place.project import find
from zyc.report import problems
from zyc.report.console import Console
from zyc.verbs import App


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option("--from", "tool", type=click.Choice(list(TOOLS)), help="Which tool it is of; found by its keys when not given.")
@click.option("-o", "--output", metavar="FILE", help="The spec; specs/NAME.yml when not given.")
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the spec, and the table beside it.")
@click.option("--name", metavar="NAME", help="The name of the node; the file's own when not given.")
@click.option(
    "--gpus", type=click.IntRange(1, 100_000), metavar="N", help="How many GPUs it was meant for: the batch depends on it."
)
@click.option(
    "--steps", type=click.IntRange(1, 10**9), metavar="N", help="How many steps it has, where the file leaves that to the rows."
)
@click.option(
    "--chat-template", "template", default="", metavar="NAME", help="Of chats, for a model that has none: chatml, llama3, ..."
)
@click.option("--partial", is_flag=True, help="Write it without what is refused; that stands on top of it, as a comment.")
@click.option("--force", is_flag=True, help="Replace a spec that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(  # noqa: PLR0913  (one for each option)
    app: App,
    *,
    file: str,
    tool: str | None,
    output: str | None,
    to_stdout: bool,
    name: str | None,
    gpus: int | None,
    steps: int | None,
    template: str,
    partial: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Write a spec from a file of axolotl, LLaMA-Factory, torchtune, mergekit or Ollama, and say what became of each key.

    \b
    zyc import lora.yml                      writes specs/lora.yml
    zyc import lora.yml --gpus 8 --force     again: it was meant for eight
    zyc import ../other/train.yaml --stdout  only to look at
    """
    app.acted, app.json = True, as_json
    source = Path(app.here, file)
    text = _bytes(app, source, file)
    wanted = as_name(name if name is not None else source.stem) or "imported"
    where = "" if to_stdout else output or _below(app, wanted)
    if where and app.world.exists(Path(app.here, where)) and not force:
        raise ZycError(problem("spec-there", path=where))
    asked = Asked(
        wanted, gpus, steps or 0, template, _beside(app, source.parent), _placed(app, source.parent), _names(app, skip=where)
    )
    try:
        made = read(text, file, tool=tool or "", asked=asked)
    except ZycError as error:
        return problems.tell(app.console, _text_of(file, text), error.problems, json=as_json)
    refused = [_as_problem(row, made.tool) for row in made.refused]
    written = bool(made.text) and (partial or not refused)
    if written and where:
        path = Path(app.here, where)
        app.world.make_folder(path.parent)
        app.world.write(path, made.text)
    if as_json:
        app.console.json(_data(made, file, where if written else "", refused))
    else:
        _tell(app.console, made, where if written else "", to_stdout=to_stdout and written)
        _minded(app, where if written else "")
        if not written:
            problems.tell(app.console, _text_of(file, text), refused)
            if made.text:
                app.console.note("help: correct them, or `--partial` writes the rest")
    return os.EX_OK if written else 2


def _minded(app: App, where: str) -> None:
    """What the kinds mind of the spec that was written, once they know the models: `zyc check` refuses it."""
    if not where:
        return
    try:
        front = app.open(Call((where,)))
        front.glance = True
        front.settlement.graph.nodes()
    except (ZycError, OSError) as error:
        for each in getattr(error, "problems", ()):
            if each.code == "objection":
                app.console.note(f"refused by `zyc check`: {each.message}" + (f"; {each.help}" if each.help else ""))


def _bytes(app: App, path: Path, file: str) -> bytes:
    try:
        return app.world.read(path)
    except OSError as error:
        raise ZycError(problem("unreadable-file", file=file, reason=(error.strerror or "").lower())) from None


def _below(app: App, name: str) -> str:
    """`specs/NAME.yml` of the project, from here."""
    root = find(app.world, app.here).root
    return os.path.relpath(root / "specs" / f"{name}.yml", app.here)


def _names(app: App, *, skip: str) -> frozenset[str]:
    """The names of the project's nodes, less those of the spec that is replaced; where there is no project, none."""
    try:
        front = app.open(Call())
        declared = front.compiled.declared
    except (ZycError, OSError):
        return frozenset()
    replaced = os.path.normpath(Path(app.here, skip)) if skip else ""
    return frozenset(name for name, node in declared.items() if str(front.project.root / node.source.file) != replaced)


def _beside(app: App, folder: Path) -> Callable[[str], bytes | None]:
    """Files that a configuration names, from its own folder or from here; nothing outside of them."""

    def found(path: str) -> bytes | None:
        if path.startswith(("/", "~")) or ".." in Path(path).parts:
            return None
        for base in (folder, app.here):
            seen = app.world.stat(base / path, follow=True)
            if seen is not None and seen.kind == "file":
                return app.world.read(base / path)
        return None

    return found


def _placed(app: App, folder: Path) -> Callable[[str], str]:
    """A path of theirs from the project's root: as it is, unless it is only found from their folder or from here."""
    try:
        root = find(app.world, app.here).root
    except ZycError:
        return str

    def placed(path: str) -> str:
        for base in (root, folder, app.here):
            told = os.path.relpath(base / path, root)
            if app.world.exists(base / path) and not told.startswith(".."):
                return told
        return path

    return placed


def _text_of(file: str, text: bytes) -> Callable[[str], str | None]:
    return lambda name: text.decode("utf-8", "replace") if name == file else None


def _as_problem(row: Row, tool: str) -> Problem:
    return problem("key-refused", row.span, key=row.key, tool=tool, why=row.why, help=row.help)


# --- for people ---


def _tell(console: Console, made: Imported, where: str, *, to_stdout: bool) -> None:
    say = console.note if to_stdout else console.print
    mapped = [row for row in made.rows if row.fate is Fate.BECOMES]
    table = [(row.key, _short(row.value), row.becomes) for row in mapped]
    for line in console.laid(table, head=("key", "value", "becomes"), indent=0, flexible=1):
        say(line)
    for title, lines in (
        ("what to know of them", [line for row in mapped if row.why for line in console.said(f"{row.key}: {row.why}")]),
        ("without effect here", list(_without_effect(console, made.rows))),
        ("refused, and not part of it", [line for row in made.refused if where for line in _lost(console, row)]),
    ):
        if lines:
            say("\n" + console.paint(title, "bold"))
        for line in lines:
            say(line)
    say("")
    say(_counted(made.rows))
    if to_stdout:
        console.exact(made.text.rstrip("\n"))
    elif where:
        console.print(f"next   zyc plan {where}")


def _without_effect(console: Console, rows: Sequence[Row]) -> Iterator[str]:
    """The keys that have none, by the reason why."""
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row.fate is Fate.NOTHING:
            reasons.setdefault(row.why, []).append(row)
    for why, keys in reasons.items():
        yield from console.said(why)
        told = ", ".join(f"{row.key}: {_short(row.value)}" if row.value else row.key for row in keys)
        yield from (console.paint(line, "dim") for line in console.said(told, indent=4))


def _lost(console: Console, row: Row) -> Sequence[str]:
    return console.said(f"{row.key}: {row.why}; {row.help}")


def _short(value: str) -> str:
    return value if len(value) <= 32 else f"{value[:31]}…"


def _counted(rows: Sequence[Row]) -> str:
    counts = {fate: sum(row.fate is fate for row in rows) for fate in Fate}
    told = f"{len(rows):,} keys: {counts[Fate.BECOMES]:,} mapped · {counts[Fate.NOTHING]:,} without effect here"
    return told + (f" · {counts[Fate.REFUSED]:,} refused" if counts[Fate.REFUSED] else "")


# --- for programs ---


def _data(made: Imported, file: str, where: str, refused: Sequence[Problem]) -> dict[str, object]:
    told: dict[str, object] = {} if where or not refused else {"errors": [problems.as_data(each) for each in refused]}
    keys = [
        {
            "key": row.key,
            "line": row.span.line,
            "value": row.value,
            "fate": row.fate.value,
            "becomes": row.becomes,
            "why": row.why,
            "help": row.help,
        }
        for row in made.rows
    ]
    return {**told, "tool": made.tool, "file": file, "output": where, "keys": keys, "spec": made.text}
