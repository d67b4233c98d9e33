"""`zyc gc`: free what no project needs, and say what that is."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from zyc.errors import ZycError
from zyc.front import Call, Front
from zyc.keeping.store import Store
from zyc.planning.plan import Plan
from zyc.quantity import in_bytes
from zyc.report import sweep as report
from zyc.sweep import Item, Survey, Sweep, Wish, carry_out
from zyc.verbs import App


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only list it: what is listed is what would go.")
@click.option("--intermediates", is_flag=True, help="Also what other results stand on and the specs can make again.")
@click.option("--undeclared", is_flag=True, help="Also the results of nodes that no spec declares any more.")
@click.option(
    "--forget", multiple=True, metavar="PATH", help="A registered project that is on no disk any more: what it held goes."
)
@click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    app: App, /, *, dry_run: bool, intermediates: bool, undeclared: bool, forget: tuple[str, ...], yes: bool, as_json: bool
) -> int:
    """Free what no project needs: older results, what was put aside, what killed processes left, old step folders.

    The last result of each node of each project that shares the store stays, and what this project's specs say now.
    Records of what was built stay as well: a result that went is made again when something needs it, and only then.
    `again` is what that would take, with all that would be made again for it. Nothing goes while a build runs.

    \b
    zyc gc --dry-run                  what would go, whose it was, what it took
    zyc gc
    zyc gc --intermediates --dry-run  keep the ends, free what they were made from
    zyc gc --forget ../old-project    it is gone, and what it held may go
    """
    front = app.open(Call())
    app.acted, app.json = True, as_json
    store = Store.open(app.world, front.project.store, create=False)
    if not store.made():
        return _told(app, Sweep(), done=None if dry_run else [])
    wish = Wish(intermediates, undeclared, forget)
    with ExitStack() as held:
        held.enter_context(store.sharing() if dry_run else store.alone())
        sweep = Survey(app.world, front.project, _plans(app, front), wish).sweep()
        if dry_run:
            return _told(app, sweep, done=None)
        if not as_json:
            report.listing(app.console, sweep)
        if sweep.items and not (yes or as_json) and app.console.live and sys.stdin.isatty():
            click.confirm(f"free {in_bytes(sweep.bytes)}?", abort=True)
        done: list[Item] = []
        carry_out(store, front.project, sweep, done=done.append)
    return _told(app, sweep, done=done)


def _plans(app: App, front: Front) -> dict[bool, Plan | None]:
    """What the specs say now, for real and as twins; while they are broken, all that they could mean stays."""
    plans: dict[bool, Plan | None] = {}
    for twin in (False, True):
        each = app.open(Call(twin=True)) if twin else front
        try:
            plans[twin] = each.plan
        except ZycError as error:
            plans[twin] = None
            front.warnings += [told for told in error.problems if told not in front.warnings]
    app.front = front
    return plans


def _told(app: App, sweep: Sweep, *, done: list[Item] | None) -> int:
    if app.json:
        app.console.json(report.as_data(sweep, done=done))
    else:
        if done is None:
            report.listing(app.console, sweep)
        report.total(app.console, sweep.items if done is None else done, done=done is not None, kept=sweep.kept)
        report.remarks(app.console, sweep)
    app.close()
    return 0
