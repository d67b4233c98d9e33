"""`zyc render`: the graph as folders with scripts, to be read and run without zyc."""

from __future__ import annotations

from pathlib import Path

import click

from zyc.errors import ZycError, problem
from zyc.front import Call
from zyc.standalone import write_graph
from zyc.verbs import App, nodes, on_a_graph


@click.command("render")
@nodes()
@click.option(
    "-o", "--output", "output", metavar="DIR", default="rendered", show_default=True, help="Where to write the folders."
)
@click.option("--copy", "copies", is_flag=True, help="Copy your input files instead of linking them, so that DIR can be moved.")
@click.option("--force", is_flag=True, help="Replace DIR when zyc rendered it before.")
@on_a_graph
def command(app: App, call: Call, *, output: str, copies: bool, force: bool) -> int:
    """Write every node as a folder, and a run.sh that runs them in order. No zyc is needed to run it.

    \b
    zyc render specs/hello.yml -o out/hello
    bash out/hello/run.sh
    zyc render page --copy -o ../page
    """
    front = app.open(call)
    app.acted = True
    folder = Path(app.here, output)
    marker = folder / ".zyc-rendered"
    if front.world.list(folder):
        if not (force and front.world.exists(marker)):
            hint = "`--force` replaces a folder that zyc rendered" if front.world.exists(marker) else "name another folder"
            raise ZycError(problem("output-there", path=output, hint=hint))
        front.world.remove_tree(folder)
    names = write_graph(front, folder, copies=copies)
    if app.json:
        app.console.json({"folder": output, "steps": names})
    else:
        app.console.print(
            f"{len(names)} step{'' if len(names) == 1 else 's'} in {output}/: `bash {output}/run.sh` runs them in order"
        )
    app.close()
    return 0
