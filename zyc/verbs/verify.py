"""`zyc verify`: read all that is kept again, and tell what is not what was written."""

from __future__ import annotations

import click

from zyc.front import Call
from zyc.keeping.damage import Examination, Finding, repair
from zyc.keeping.store import Store
from zyc.report import damage as report
from zyc.verbs import App, nodes
from zyc.world import World


@click.command("verify")
@nodes()
@click.option("--repair", "mend", is_flag=True, help="Put what is damaged aside: builds make it again, `zyc gc` removes it.")
@click.option("--twin", is_flag=True, help="The rehearsal's results of these nodes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: App, /, *, select: tuple[str, ...], mend: bool, twin: bool, as_json: bool) -> int:
    """Read every result and record of the store again, and tell what is not what was written, and whose it is.

    Of named nodes, only theirs. Exits with 1 when something is damaged and stays so. No mode, time or index is trusted.

    \b
    zyc verify
    zyc verify page               only the last result of a node
    zyc verify --repair           what is damaged counts as absent from then on
    """
    front = app.open(Call(select, twin=twin))
    app.acted, app.json = True, as_json
    world = World()  # nobody watches: there are as many files as results have
    store = Store(world, front.project.store)
    only = frozenset(front.selection.names) if select else None
    if not world.list(store.root):
        return _told(app, Finding(), repaired=False)
    store.refuse_foreign()
    with store.alone() if mend else store.sharing():
        finding = Examination(store, front.project, only, twin, report.progress(app.console)).examine()
        app.console.tick("")
        if mend:
            repair(store, front.project, finding)
    return _told(app, finding, repaired=mend)


def _told(app: App, finding: Finding, *, repaired: bool) -> int:
    if app.json:
        app.console.json(report.as_data(finding, repaired=repaired))
    else:
        report.tell(app.console, finding, repaired=repaired)
    app.close()
    return 1 if any(not (repaired and each.mended) for each in finding.damages) else 0
