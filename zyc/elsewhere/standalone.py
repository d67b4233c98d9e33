"""A graph as folders that run without zyc: one a step, linked to each other, and a run.sh that runs them in order."""

from __future__ import annotations

import json
import os
import posixpath
from pathlib import Path

from zyc import kinds
from zyc.front import Front
from zyc.graph import Choice, Cluster, Node
from zyc.place.project import slug
from zyc.planning import folder as folders
from zyc.planning.settle import Settlement
from zyc.world import World

_TOP = """#!/usr/bin/env bash
# Runs every step in order, without zyc; a step that is done is passed over. Delete a step's out/ to run it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
while IFS= read -r step; do
  if [ -e "$step/.done" ] && [ -e "$step/out" ]; then
    continue
  fi
  echo "== $step"
  rm -rf "$step/out" "$step/measures.json" # what an attempt that was cut short left; its state/ stays
  bash "$step/run.sh" < /dev/null 2>&1 | tee "$step/log.txt"
  touch "$step/.done"
done < order.txt
"""
_CHOOSE = "choose.py"


def write_graph(front: Front, settlement: Settlement, home: Path, *, copies: bool) -> list[str]:
    """Write the graph of a call; the names of the folders, in order."""
    world = front.world
    names: dict[str, str] = {}
    order: list[str] = []
    for vertex in settlement.graph.vertices.values():
        place = slug(vertex.name)
        names[vertex.name] = place
        if isinstance(vertex, Node):
            _node(front, settlement, vertex, home / place, names, copies=copies)
        elif isinstance(vertex, Cluster):
            for edge in vertex.members:
                _link(world, home / place / "out" / edge.field, home / names[edge.source] / "out")
            continue
        else:
            _choice(front, vertex, home / place, names)
        order.append(place)
    world.write(home / "order.txt", "".join(f"{place}\n" for place in order))
    world.write(home / "run.sh", _TOP)
    return order


def _node(front: Front, settlement: Settlement, node: Node, place: Path, names: dict[str, str], *, copies: bool) -> None:
    world = front.world
    world.make_folder(place)
    folders.write_files(world, place, settlement.rendered(node))
    kind = kinds.load(node.kind)
    for edge in node.edges:
        if not edge.order:
            _link(world, place / "in" / kind.place(edge.field), place.parent / names[edge.source] / "out")
    for below, path in folders.user_files(node, settlement.known):
        source = front.project.root / path
        if copies:
            _copy(world, source, place / "in" / below)
        else:
            folders.link_file(world, place / "in" / below, source)


def _link(world: World, link: Path, target: Path) -> None:
    """A link between two folders of the same graph: it still leads there when the graph is moved."""
    world.make_folder(link.parent)
    world.symlink(link, target=os.path.relpath(target, link.parent))


def _copy(world: World, source: Path, target: Path) -> None:
    seen = world.stat(source, follow=True)
    world.make_folder(target.parent)
    if seen is not None and seen.kind == "folder":
        world.make_folder(target)
        for name, inside in world.walk(source):
            if inside.kind != "folder":
                _copy(world, source / name, target / name)
    else:
        world.write(target, world.read(source))
        if seen is not None and seen.mode & 0o100:
            world.chmod(target, mode=0o755)


def _choice(front: Front, choice: Choice, place: Path, names: dict[str, str]) -> None:
    """A choice is made by a script too, by the same rule: gates first, then the measure, ties to the first."""
    world = front.world
    members = []
    for (label, judge), (_, take) in zip(choice.judges, choice.takes, strict=True):
        proofs = [name for at, name in choice.verdicts if at == label]
        members.append(
            {
                "label": label,
                "measures": posixpath.join("..", names[judge], "measures.json"),
                "take": posixpath.join("..", names[take], "out"),
                "checks": [_check(front, name, names) for name in dict.fromkeys([judge, take, *proofs])],
            }
        )
    settings = {"measure": choice.measure, "largest": choice.largest, "members": members}
    root = kinds.templates_of("step")[0]
    world.make_folder(place / "recipe")
    world.write(place / "recipe" / "settings.json", json.dumps(settings, indent=2) + "\n")
    world.write(place / "recipe" / _CHOOSE, world.read(root / "select" / _CHOOSE))
    world.write(place / "run.sh", world.read(root / "select" / "run.sh"))


def _check(front: Front, name: str, names: dict[str, str]) -> dict[str, object]:
    """What must hold of one node before a member may win."""
    node = front.settlement.graph.vertices[name]
    wanted = front.settlement.gates(node) if isinstance(node, Node) else ()
    gates = [{"measure": gate.measure, "sign": gate.sign, "bound": gate.bound, "against": gate.against} for gate in wanted]
    return {"measures": posixpath.join("..", names[name], "measures.json"), "gates": gates}
