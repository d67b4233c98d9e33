"""One graph in the words of each tool: a tree of arity 4, or a square in which each of one side takes all of the other.

Node `i` of the tree copies what node `(i - 1) // 4` left and adds its own name, so each has bytes and a key of its own;
node 0 starts from a file. Every tool has a folder of its own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ARITY = 4
NODES_A_FILE = 100
Write = Callable[[Path, int], None]


def parent(node: int) -> int:
    """Whose output a node copies."""
    return (node - 1) // ARITY


def write(folder: Path, tool: str, nodes: int) -> Path:
    """The tree in a new folder, as the tool wants it."""
    folder.mkdir(parents=True)
    (folder / "seed.txt").write_text("seed\n")
    TREES[tool](folder, nodes)
    return folder


def edit(folder: Path, tool: str, node: int, word: str) -> None:
    """Another command for one node: no text that was there before, so that no answer can be an old one."""
    path = folder / ("build.ninja" if tool == "ninja" else f"specs/{_part(node)}")
    line = _ninja_line if tool == "ninja" else _zyc_line
    before, after = line(node, "").split("echo")[0], line(node, word)
    text = path.read_text()
    start = text.index(before)
    end = text.find("\nbuild ", start) if tool == "ninja" else text.find("\n", start)
    path.write_text(text[:start] + after + (text[end:] if end >= 0 else "\n"))
    rest()


def rest() -> None:
    """Long enough that what was just written counts as old: a tool that reads times distrusts a file of this very moment."""
    time.sleep(0.15)


# --- the tree ---


def _ninja_line(node: int, word: str) -> str:
    line = f"build out/{node}: join {f'out/{parent(node)}' if node else 'seed.txt'}"
    return f"{line}\n  word = {word}" if word else line


def _ninja(folder: Path, nodes: int) -> None:
    rule = "rule join\n  command = (cat $in; echo $out$word) > $out\n"
    (folder / "build.ninja").write_text(rule + "".join(f"{_ninja_line(node, '')}\n" for node in range(nodes)))


def _part(node: int) -> str:
    return f"part{node // NODES_A_FILE:05d}.yml"


def _zyc_line(node: int, word: str) -> str:
    source = f"inputs: {{up: n{parent(node)}}}" if node else "files: {up: seed.txt}"
    given = "in/up/value" if node else "in/up"
    return f'  n{node}: {{{source}, run: "(cat {given}; echo n{node}{word}) > out/value"}}'


def _zyc(folder: Path, nodes: int) -> None:
    (folder / "specs").mkdir()
    for start in range(0, nodes, NODES_A_FILE):
        lines = [_zyc_line(node, "") for node in range(start, min(nodes, start + NODES_A_FILE))]
        (folder / "specs" / _part(start)).write_text("\n".join(["zyc: 1", "steps:", *lines, ""]))


def _snakemake(folder: Path, nodes: int) -> None:
    (folder / "Snakefile").write_text(
        f"rule all:\n    input: expand('out/{{i}}', i=range({nodes}))\n"
        "ruleorder: root > node\n"
        "rule root:\n    input: 'seed.txt'\n    output: 'out/0'\n"
        "    shell: '(cat {input}; echo {output}) > {output}'\n"
        f"rule node:\n    input: lambda w: f'out/{{(int(w.i) - 1) // {ARITY}}}'\n    output: 'out/{{i}}'\n"
        "    shell: '(cat {input}; echo {output}) > {output}'\n"
    )


def _dvc(folder: Path, nodes: int) -> None:
    lines = ["stages:", "  s0: {cmd: (cat seed.txt; echo s0) > out/0, deps: [seed.txt], outs: [out/0]}"]
    for node in range(1, nodes):
        above = f"out/{parent(node)}"
        lines.append(f"  s{node}: {{cmd: (cat {above}; echo s{node}) > out/{node}, deps: [{above}], outs: [out/{node}]}}")
    (folder / "dvc.yaml").write_text("\n".join([*lines, ""]))
    (folder / "out").mkdir()
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)


TREES: Mapping[str, Write] = {"ninja": _ninja, "snakemake": _snakemake, "dvc": _dvc, "zyc": _zyc}


# --- the square ---


def write_square(folder: Path, tool: str, side: int) -> Path:
    """Two rows of nodes; each of the second takes all of the first."""
    folder.mkdir(parents=True)
    (folder / "seed.txt").write_text("seed\n")
    SQUARES[tool](folder, side)
    return folder


def _zyc_square(folder: Path, side: int) -> None:
    labels = ", ".join(map(str, range(side)))
    (folder / "specs").mkdir()
    (folder / "specs" / "square.yml").write_text(
        "zyc: 1\nsteps:\n"
        f"  one:\n    matrix: {{i: [{labels}]}}\n    run: echo $ZYC_MATRIX_I > out/value\n"
        f"  two:\n    matrix: {{j: [{labels}]}}\n    inputs: {{all: [one]}}\n"
        "    run: cat in/all/*/value > out/value; echo $ZYC_MATRIX_J >> out/value\n"
    )


def _ninja_ones(side: int) -> str:
    return "rule join\n  command = (cat $in; echo $out) > $out\n" + "".join(
        f"build one/{i}: join seed.txt\n" for i in range(side)
    )


def _ninja_square(folder: Path, side: int) -> None:
    ones = " ".join(f"one/{i}" for i in range(side))
    (folder / "build.ninja").write_text(_ninja_ones(side) + "".join(f"build two/{j}: join {ones}\n" for j in range(side)))


def _ninja_group(folder: Path, side: int) -> None:
    ones = " ".join(f"one/{i}" for i in range(side))
    twos = "".join(f"build two/{j}: join seed.txt | all\n" for j in range(side))
    (folder / "build.ninja").write_text(f"{_ninja_ones(side)}build all: phony {ones}\n{twos}")


SQUARES: Mapping[str, Write] = {"zyc": _zyc_square, "ninja": _ninja_square, "ninja, one phony": _ninja_group}
