"""`zyc render`: the graph as folders with scripts, to be read and run without zyc."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from zyc.again import line
from zyc.elsewhere.away import Away
from zyc.elsewhere.faces import Face, Input
from zyc.elsewhere.standalone import write_graph
from zyc.errors import ZycError, listing, problem
from zyc.front import Call, Front
from zyc.graph import Node
from zyc.quantity import in_bytes
from zyc.report.console import safe
from zyc.verbs import App, nodes, on_a_graph


@click.command("render")
@nodes()
@click.option(
    "-o", "--output", "output", metavar="DIR", default="", help="Where to write the folders, else rendered/; or the face."
)
@click.option(
    "--as",
    "face",
    type=click.Choice(["notebook", "sbatch"]),
    help="One node, to run it elsewhere: a notebook, or the folder of a Slurm job; `zyc adopt` brings its result home.",
)
@click.option("--copy", "copies", is_flag=True, help="Copy your input files instead of linking them, so that DIR can be moved.")
@click.option("--force", is_flag=True, help="Replace DIR when zyc rendered it before.")
@on_a_graph
def command(app: App, call: Call, *, output: str, face: str | None, copies: bool, force: bool) -> int:
    """Write every node as a folder, and a run.sh that runs them in order. No zyc is needed to run it.

    \b
    zyc render specs/hello.yml -o out/hello
    bash out/hello/run.sh
    zyc render page --copy -o ../page
    zyc render page --as notebook
    """
    front = app.open(call)
    app.acted = True
    if face is not None:
        return _face(app, front, face, output, copies=copies, force=force)
    output = output or "rendered"
    folder = Path(app.here, output)
    settlement = front.settlement  # what is wrong with it is told before a folder goes
    _make_room(front, folder, output, force=force)
    names = write_graph(front, settlement, folder, copies=copies)
    if app.json:
        app.console.json({"folder": output, "steps": names})
    else:
        run = shlex.join(["bash", f"{output}/run.sh"])
        app.console.print(f"{len(names)} step{'' if len(names) == 1 else 's'} in {output}/: `{run}` runs them in order")
    app.close()
    return 0


def _make_room(front: Front, folder: Path, output: str, *, force: bool) -> None:
    """Nobody's files are overwritten: a folder must be empty, or one of ours that may be replaced; first of all it is marked."""
    marker = folder / ".zyc-rendered"
    if front.world.list(folder):
        if not (force and front.world.exists(marker)):
            hint = "`--force` replaces a folder that zyc rendered" if front.world.exists(marker) else "name another folder"
            raise ZycError(problem("output-there", path=output, hint=hint))
        front.world.remove_tree(folder)
    front.world.make_folder(folder)
    front.world.write(marker, "")


def _face(app: App, front: Front, face: str, output: str, *, copies: bool, force: bool) -> int:
    """One node as a notebook or a job, and what has to be carried along."""
    if copies:
        raise ZycError(problem("face-copies", face=face))
    node = _the_node(front, face)
    away = Away(front, node)
    told = away.face()
    output = output or (f"{told.name}.ipynb" if face == "notebook" else told.name)
    path = Path(app.here, output)
    if face == "notebook":
        if front.world.exists(path) and not force:
            raise ZycError(problem("output-there", path=output, hint="`--force` writes it anew"))
        carried = away.write_notebook(told, path)
    else:
        _make_room(front, path, output, force=force)
        carried = away.write_batch(told, path)
    parcel = str(Path(output).parent / told.parcel) if face == "notebook" else f"{output}/{told.parcel}"
    if app.json:
        inputs = [{"place": each.place, "from": each.giver, "how": each.how, "bytes": each.bytes} for each in told.inputs]
        parcels = {"parcel": parcel if carried else None, "bytes": carried}
        app.console.json({"face": face, "node": node.name, "key": told.key or None, "file": output, **parcels, "inputs": inputs})
    else:
        _tell(app, front.call, told, face, output)
        if carried:
            app.console.print(f"  {parcel}  {in_bytes(carried)} to carry along")
    app.close()
    return 0


def _the_node(front: Front, face: str) -> Node:
    vertices = front.plan.graph.vertices  # of a twin they are others than those of the specs
    names = [name for name in front.selection.names if isinstance(vertices.get(name), Node)]
    if len(names) != 1:
        raise ZycError(problem("face-one-node", face=face, count=len(names), hint=listing(sorted(names), "name one of")))
    node = vertices[names[0]]
    assert isinstance(node, Node)
    return node


def _tell(app: App, call: Call, told: Face, face: str, output: str) -> None:
    app.console.print(f"{told.node} as a {'notebook' if face == 'notebook' else 'batch job'}: {output}")
    rows = [(f"in/{each.place}", each.giver, in_bytes(each.bytes) if each.bytes else "", _comes(each)) for each in told.inputs]
    app.console.table(rows, indent=2, right=(2,))
    run = "run its cells" if face == "notebook" else "`sbatch job.sbatch` in it"
    app.console.print(f"  then {run}, bring {told.result} home: `{safe(line(call, 'adopt', told.result))}`")


def _comes(each: Input) -> str:
    return "fetched there" if each.how == "made here" else "packed"
