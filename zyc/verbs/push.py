"""`zyc push`: send what is kept here to a remote, for others."""

from __future__ import annotations

import click

from zyc.elsewhere import share
from zyc.elsewhere.share import Fate
from zyc.errors import ZycError
from zyc.front import Call, Front
from zyc.keeping.remote import Remote
from zyc.report import share as report
from zyc.verbs import App, asked, nodes, on_a_graph, the_remote


@click.command("push")
@nodes()
@click.option("--remote", "where", default="", metavar="REMOTE", help="A name of the site, a URL, or a folder.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--again", is_flag=True, help="Look at what is there, too: what is missing or damaged is sent again.")
@on_a_graph
def command(app: App, call: Call, *, where: str, dry_run: bool, again: bool) -> int:
    """Send the kept results of nodes to a remote; what is there already is not sent twice, and never replaced.

    Others find a result by what it stands on: `+page` sends that, too. Without NODES everything that is kept is sent.

    \b
    zyc push --remote /mnt/share/store
    zyc push +page --remote s3://bucket/store
    zyc push page --remote team --dry-run
    """
    front = app.open(call)
    app.acted = True
    names = asked(front)  # wrong specs first, then wrong places
    name = the_remote(front, where, verb="zyc push")
    remote = _opened(front, name, dry_run=dry_run)
    width = max((len(each) for each in names), default=0)
    lines = report.Lines(app.console, width=width, clock=app.world.monotonic, dry_run=dry_run)
    told, moves = (share.untold, share.unseen) if app.json else (lines, lines.moves)
    with lines:
        if dry_run or remote is None:
            shares = share.would_push(front, remote, names, told)
        else:
            shares = share.push_nodes(front, remote, names, told, moves=moves, again=again)
    shown = remote.name if remote is not None else name
    unsent = share.unsent(front, remote, names) if remote is not None and not dry_run else []
    if app.json:
        app.console.json(report.as_data(shares, remote=shown, dry_run=dry_run, unsent=unsent))
    else:
        report.summary(app.console, shares, remote=shown, absent="not here", dry_run=dry_run)
        if unsent:
            app.console.say(
                f"not there: {report.named(unsent)}; who lacks them finds nothing that stands on them: `+NODE` sends them"
            )
    app.close()
    return 1 if any(each.fate is Fate.FAILED for each in shares) else 0


def _opened(front: Front, name: str, *, dry_run: bool) -> Remote | None:
    """The remote; none when it is still to be made and nothing may be."""
    try:
        return front.remote_at(name, create=not dry_run)
    except ZycError as error:
        if not dry_run or error.problems[0].code != "remote-missing":
            raise
        return None
