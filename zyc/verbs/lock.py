"""`zyc lock`: pin what can move; a pin moves only when it is named."""

from __future__ import annotations

from collections.abc import Mapping

import click

from zyc.compile.validate import field_words, owner_words
from zyc.errors import Problem, ZycError, guess, problem
from zyc.front import Call, Front
from zyc.kind import HubNeed, PinNeed
from zyc.place import lock as locks
from zyc.place.hub import Unreached, resolve
from zyc.place.lock import Lock
from zyc.planning.check import field_place
from zyc.planning.known import Known
from zyc.report import problems
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
    known = _known(front)
    hubs = {need.name: need for node in front.graph.nodes() for need in node.shape.needs if isinstance(need, HubNeed)}
    wanted = {name: known.pins.get(name, "") for name in sorted({*known.pins, *hubs})}
    unknown = [name for name in upgrade if name not in wanted and name != "all"]
    if unknown:
        raise ZycError(
            problem("no-selection", text=unknown[0], hint=guess(unknown[0], wanted, otherwise="the specs pin nothing"))
        )
    before = dict(front.lock.pins)
    moving = {name for name in wanted if {name, "all"} & {*upgrade}}
    after, failed = dict(wanted), list[Problem]()
    for name, pinned in wanted.items():
        if name in moving or not (pinned or (only_check and name in hubs)):
            try:
                after[name] = _moved(front, name, hubs)
            except ZycError as error:  # the others are pinned all the same
                failed += error.problems
    missing = {name for name, version in after.items() if not version}
    after = {name: version for name, version in after.items() if version}
    changes = [
        (name, before.get(name, ""), after.get(name, ""))
        for name in sorted({*before, *wanted})
        if before.get(name) != after.get(name) or (only_check and name in missing)
    ]
    if not only_check and changes:
        front.world.write(front.project.root / locks.FILE, Lock(after).text(), durable=True)
    counted = f"{len(after)} pin{'' if len(after) == 1 else 's'}"
    code = 2 if failed else 1 if only_check and changes else 0
    if as_json:
        told = {"pins": after, "changes": [{"name": name, "before": old, "after": new} for name, old, new in changes]}
        app.console.json({**told, "errors": [problems.as_data(each) for each in failed]} if failed else told)
        return code
    if changes:
        rows = [(name, old or "-", "->", new or ("no pin yet" if name in missing else "gone")) for name, old, new in changes]
        app.console.table(rows)
        app.console.print("nothing was written" if only_check else f"{locks.FILE}: {counted}")
    elif not failed:
        app.console.print(f"{locks.FILE}: {counted}, all in place")
    app.close()
    if failed:
        problems.tell(app.console, app.files(), failed)
    return code


def _told(front: Front, need: HubNeed) -> str:
    try:
        return resolve(need, front.world.environ())
    except Unreached as why:
        node, at = next((node, each) for node in front.graph.nodes() for each in node.shape.needs if each == need)
        place = field_place(front.compiled, node, at.field)
        raise ZycError(problem("hub-unreached", place, name=need.repository, why=why.why, help=why.help)) from None


def _known(front: Front) -> Known:
    """What the specs pin: which variables are set is of no matter to it."""
    try:
        return front.settlement.known
    except ZycError as error:
        if any(each.code != "missing-variable" for each in error.problems):
            raise
        return front.known(front.graph)


def _moved(front: Front, name: str, hubs: Mapping[str, HubNeed]) -> str:
    """The version that is here; of a repository, the commit that its hub tells."""
    if name in hubs:
        return _told(front, hubs[name])
    here = front.probe.version(name)
    if here is not None:
        return here
    needed = ((node, need) for node in front.graph.nodes() for need in node.shape.needs if isinstance(need, PinNeed))
    node, need = next(each for each in needed if each[1].name == name)
    at, owner = field_place(front.compiled, node, need.field), owner_words(node.kind, node.family or node.name)
    hint = "install it first; until then the pin stays where it is"
    raise ZycError(problem("unresolvable-pin", at, name=name, owner=owner, field=field_words(need.field), hint=hint))
