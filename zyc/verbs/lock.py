"""`zyc lock`: pin what can move; a pin moves only when it is named."""

from __future__ import annotations

import click

from zyc import lock as locks
from zyc.errors import ZycError, guess, problem
from zyc.front import Call
from zyc.lock import Lock
from zyc.verbs import App


@click.command("lock")
@click.option(
    "--upgrade", "upgrade", multiple=True, metavar="NAME", help="Move this pin to what is here now; `all` moves every pin."
)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit with 1 when a pin is missing or unused.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: App, upgrade: tuple[str, ...], *, only_check: bool, as_json: bool) -> int:
    """Pin every tool and package that the specs name, in zyc.lock.

    \b
    zyc lock                          add missing pins, drop unused ones, move none
    zyc lock --upgrade tool:pandoc    move one to the version that is here
    zyc lock --upgrade all
    """
    front = app.open(Call())
    app.acted, app.json = True, as_json
    known = front.settlement.known
    wanted = {name: known.pins[name] for name in sorted(known.pins)}
    unknown = [name for name in upgrade if name not in wanted and name != "all"]
    if unknown:
        raise ZycError(
            problem("no-selection", text=unknown[0], hint=guess(unknown[0], wanted, otherwise="the specs pin nothing"))
        )
    before = dict(front.lock.pins)
    after = {
        name: _moved(front.probe.version(name), version) if name in upgrade or "all" in upgrade else version
        for name, version in wanted.items()
    }
    changes = [
        (name, before.get(name, ""), after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if not only_check and changes:
        front.world.write(front.project.root / locks.FILE, Lock(after).text(), durable=True)
    counted = f"{len(after)} pin{'' if len(after) == 1 else 's'}"
    if as_json:
        app.console.json({"pins": after, "changes": [{"name": name, "before": old, "after": new} for name, old, new in changes]})
    elif not changes:
        app.console.print(f"{locks.FILE}: {counted}, all in place")
    else:
        rows = [(name, old or "-", "->", new or "gone") for name, old, new in changes]
        app.console.table(rows)
        app.console.print("nothing was written" if only_check else f"{locks.FILE}: {counted}")
    app.close()
    return 1 if only_check and changes else 0


def _moved(here: str | None, version: str) -> str:
    return here if here is not None else version
