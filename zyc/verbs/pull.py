"""`zyc pull`: bring what others built, from a remote."""

from __future__ import annotations

from dataclasses import replace

import click

from zyc.elsewhere import share
from zyc.elsewhere.share import Fate
from zyc.front import Call
from zyc.report import share as report
from zyc.verbs import App, asked, nodes, on_a_graph, the_remote


@click.command("pull")
@nodes()
@click.option("--remote", default="", metavar="REMOTE", help="A name of the site, a URL, or a folder.")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and change nothing.")
@on_a_graph
def command(app: App, call: Call, *, dry_run: bool) -> int:
    """Fetch the results of nodes that a remote has; each object is checked against its digest while it arrives.

    Of what they stand on the records come along, so that the next plan knows them; their bytes only when they are named.

    \b
    zyc pull page --remote /mnt/share/store
    zyc pull +page --remote s3://bucket/store
    zyc pull specs/ --remote team --dry-run
    """
    front = app.open(call)
    app.acted = True
    names = asked(front)  # wrong specs first, then wrong places
    if not call.remote:
        front.call = replace(call, remote=the_remote(front, "", verb="zyc pull"))
        front.forget()
        names = asked(front)  # a search may know more by now
    width = max((len(each) for each in names), default=0)
    lines = report.Lines(app.console, width=width, clock=app.world.monotonic, dry_run=dry_run)
    told, moves = (share.untold, share.unseen) if app.json else (lines, lines.moves)
    with lines:
        shares = share.would_pull(front, names, told) if dry_run else share.pull_nodes(front, names, told, moves=moves)
    assert front.remote is not None
    if app.json:
        app.console.json(report.as_data(shares, remote=front.remote.name, dry_run=dry_run))
    else:
        report.summary(app.console, shares, remote=front.remote.name, absent="could not be had", dry_run=dry_run)
    app.close()
    return 1 if any(each.fate is Fate.FAILED for each in shares) else 0
