"""The pages of docs/kinds: the declaration of a kind, and around it an example and errors as they are seen when they are typed.

What a person wrote into a page stays: its example, the words around it, the calls that go wrong. All else is written anew. A kind
without a page gets one whose example is its sample.
"""

import re
from pathlib import Path

import story
from desk import REPOSITORY, Desk

from zyc import kinds
from zyc.compile.outline import SECTIONS
from zyc.kind import GATES, NOTES
from zyc.report.kind_page import common_fields, page_of, summary
from zyc.source import parse

HOME = REPOSITORY / "docs" / "kinds"
SAMPLES = REPOSITORY / "tests" / "kinds" / "samples"
EXAMPLE, HELD, FIELDS, ERRORS = "## Example", "## Held to", "## Fields", "## Errors you may meet"
INDEX = """\
# The kinds

A node is of one kind: the section that it stands in says which. A page each, made from the kind's own declaration.

## What people write

| section | kind | |
|---|---|---|
{declared}

## What the compiler inserts

Conversions where a type is wanted that is not there, proofs beside transformations, and the tasks of an evaluation. They are
nodes like any other: `zyc plan --all` lists them, `zyc show NODE.proof` shows one.

| kind | |
|---|---|
{inserted}

## What every node has

| field | type | default | class | |
|---|---|---|---|---|
{common}

Any node may also have a `matrix` or a `search`, which make a family of it: [the language](../language.md#families).
A kind of your own: [Add a kind](../how-to/add-a-kind.md).
"""
FILES = {
    "data/words.txt": "anna and a banana\na cab in a cabana\nno scan of cans\nban all bananas\n",
    "data/asked.jsonl": '{"question": "one and one?", "answer": "two"}\n{"question": "one and two?", "answer": "three"}\n',
}


def index() -> str:
    """The list of all pages."""
    every = kinds.every()
    declared = sorted((each for each in every if each.section), key=lambda each: SECTIONS.index(each.section))
    return INDEX.format(
        declared="\n".join(f"| `{each.section}` | [{each.name}]({each.name}.md) | {summary(each)} |" for each in declared),
        inserted="\n".join(f"| [{each.name}]({each.name}.md) | {summary(each)} |" for each in every if not each.section),
        common="\n".join(common_fields()),
    )


def made(stem: str, folder: Path) -> str:
    """The page of a kind as it should be, from what it is now."""
    path = HOME / f"{stem}.md"
    kept = sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    example, errors = kept.get(EXAMPLE) or first_example(stem), kept.get(ERRORS) or first_error(stem)
    top, told = page_of(kinds.load(stem)).split(f"{FIELDS}\n")
    desk = Desk(folder / "project")
    parts = [top.rstrip("\n"), f"{EXAMPLE}\n\n{example}", held(stem, example, desk), f"{FIELDS}\n{told.rstrip()}"]
    text = "\n\n".join(each for each in [*parts, f"{ERRORS}\n\n{errors}" if errors else ""] if each)
    return typed(f"{text}\n", folder / "page.md", desk)


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of two `#`."""
    parts = re.split(r"^(## .*)$", text, flags=re.MULTILINE)
    return {title: body.strip("\n") for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def typed(text: str, path: Path, desk: Desk) -> str:
    """A page with what is seen now behind each call."""
    path.write_text(text, encoding="utf-8")
    page = story.read(path)
    story.rewrite(page, [each for case in page.cases for each in story.play(desk, case)])
    return path.read_text(encoding="utf-8")


def held(stem: str, example: str, desk: Desk) -> str:
    """The bounds of the node of an example and of what was inserted for it, whatever machine it is."""
    path = desk.root / "example.md"
    path.write_text(example, encoding="utf-8")
    for block in story.read(path).head.blocks:
        if block.path:
            desk.write(block.path, "".join(f"{line}\n" for line in block.lines))
    path.unlink()
    nodes = desk.zyc("plan", "--all", "--json").data["nodes"]
    named = re.search(r"^\$ zyc graph (\S+)$", example, re.MULTILINE)
    of_kind = [each["name"] for each in nodes if each["kind"] == stem]
    node = named[1] if named and named[1] in of_kind else of_kind[0]
    rows = [(each["name"], gate["gate"]) for each in nodes if node in (each["name"], each["owner"]) for gate in each["gates"]]
    if not rows:
        return ""
    head = "The gates of the example: its own, and those that hold unless a spec says otherwise."
    return "\n".join([HELD, "", head, "", "| node | gate |", "|---|---|", *(f"| `{name}` | `{gate}` |" for name, gate in rows)])


# --- of a kind that has no page yet ---


def first_example(stem: str) -> str:
    """The sample of the kind, without what its node does not stand on."""
    text = (SAMPLES / f"{stem}.yml").read_text(encoding="utf-8")
    node = re.search(r"^node: my-(\S+)", text, re.MULTILINE)[1]
    spec, files = trimmed(stem, text, node.split(".")[0])
    blocks = [f"```yaml specs/example.yml\n{spec}```", *(f"```text {path}\n{told}```" for path, told in files.items())]
    return "\n\n".join([*blocks, f"```console\n$ zyc check\n$ zyc ls --all kind:{stem}\n```"])


def trimmed(stem: str, text: str, node: str) -> tuple[str, dict[str, str]]:
    """The lines of a sample that one node needs, and the files that they name."""
    told = parse(text.encode(), "sample").root
    lines = str(told["spec"]).splitlines()
    entries = {found[1]: at for at, line in enumerate(lines) if (found := re.match(r"  my-([\w-]+):", line))}
    ends = [at for at, line in enumerate(lines) if re.match(r" {0,2}[a-z]", line)] + [len(lines)]
    bodies = {name: range(at, next(end for end in ends if end > at)) for name, at in entries.items()}
    whole = any(each.coerces and stem in (each.name, each.proof) for each in kinds.every())  # inserted for those who want it
    wanted, todo = set(), [*entries] if whole else [node]
    while todo:
        name = todo.pop()
        if name in bodies and name not in wanted:
            wanted.add(name)
            todo += re.findall(r"my-([a-z0-9-]+)", "\n".join(lines[at] for at in bodies[name]))
    keep = {0, *(at for name in wanted for at in bodies[name])}
    heads = [at for at, line in enumerate(lines) if re.match(r"[a-z]+:$", line)]
    keep |= {head for head, end in zip(heads, [*heads[1:], len(lines)], strict=True) if keep & {*range(head, end)}}
    spec = "".join(f"{lines[at]}\n" for at in sorted(keep)).replace("my-", "")
    own = {str(path): str(body) for path, body in told.get("files", {}).items()}
    return spec, {path: body for path, body in {**FILES, **own}.items() if path in spec}


def first_error(stem: str) -> str:
    """A field whose name has two letters in the wrong order; what the compiler writes has no errors of its own."""
    kind = kinds.load(stem)
    if kind.section is None:
        return ""
    node = re.search(r"^node: my-(\S+)", (SAMPLES / f"{stem}.yml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    name = next((each for each in kind.Spec.model_fields if each not in (*NOTES, *GATES)), "about")
    return f"```console\n$ zyc check --set {node}.{name[1::-1]}{name[2:]}=one\n```"
