"""`zyc plan`: what would happen to each node, and why."""

from __future__ import annotations

import shlex

import click

from zyc.front import Call
from zyc.planning.plan import Plan
from zyc.preflight import hindrances
from zyc.report import forms
from zyc.report import plan as report
from zyc.verbs import App, nodes, on_a_graph


@click.command("plan")
@nodes()
@click.option("--all", "every", is_flag=True, help="Show every node: unchanged ones, proofs and parts too.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when something would run.")
@click.option("--against", metavar="REV", help="Compare with a revision of git: which nodes change, and why.")
@click.option("--out", metavar="FILE", help="Write the plan down, for `zyc build --plan FILE`.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", help="How to print it.")
@click.option("--remote", default="", metavar="REMOTE", help="Look for results of others: a name of the site, a URL, a folder.")
@on_a_graph
def command(app: App, call: Call, *, every: bool, exit_code: bool, against: str | None, out: str | None, form: str) -> int:
    """Say what would happen to each node: keep, run, resume, maybe or blocked.

    NODES are names, globs, files or folders; `+name` adds what it needs, `name+` what stands on it; `kind:step`,
    `tag:nightly`, `state:changed`; a comma narrows, a space adds. Without NODES it is all of specs/.

    \b
    zyc plan specs/hello.yml
    zyc plan greeting+ --exclude count
    zyc plan kind:step,state:changed
    zyc plan specs/ --against origin/main --format markdown
    zyc plan specs/ --out agreed.json
    zyc plan specs/ --exit-code      3 when something would run
    zyc plan specs/ --remote team    what others built is kept, too
    """
    form = "json" if app.json else form
    app.json = form == "json"
    front = app.open(call)
    if against is not None and call.remote:
        raise click.UsageError("`--against` compares two specs and looks at no store, so it takes no `--remote`")
    if against is not None:
        from zyc.report import against as comparing

        changed = comparing.tell(app.console, front, against, form=form, every=every)
        app.close()
        return 3 if exit_code and changed else 0
    plan = front.plan
    read = front.read_trace
    if out is not None:
        from zyc import agreed

        app.world.acting().write(app.here / out, agreed.written(call, plan))
        app.acted = True
    lacks = hindrances(front, plan, probing=False)
    if form == "json":
        app.console.json(forms.as_data(plan, read, lacks))
    elif form == "markdown":
        app.console.print(forms.markdown(plan, read))
    else:
        report.table(app.console, front, lacks, title=title_of(plan, call.select), every=every)
        app.acted = app.acted or report.unreached(front)  # at the next call there may be a way
        if out is not None:
            app.console.say(f"next   {shlex.join(['zyc', 'build', '--plan', out])}   runs exactly this, or says what moved")
    app.close()
    return 3 if exit_code and plan.changes else 0


def title_of(plan: Plan, select: tuple[str, ...]) -> str:
    """What the plan is of: the words of the call, and what their one file says of itself."""
    headers = [header for header in plan.graph.headers.values() if header.file in select]
    about = f" · {headers[0].about}" if len(headers) == 1 and headers[0].about else ""
    return (" ".join(select) if select else "specs/") + about
