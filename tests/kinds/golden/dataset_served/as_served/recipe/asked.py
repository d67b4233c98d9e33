"""Rows of a dataset and prompts of a spec -> what a model is asked, one entry a question and prompt, always in the same order."""

import json
from dataclasses import dataclass
from pathlib import Path

from asking import question


@dataclass
class Asked:
    """One question under one prompt."""

    id: str
    messages: list  # without what the prompt puts before them
    expected: str
    row: dict
    prompt: dict
    label: str


def rows_of(folder):
    """The rows that are held out; all rows of a dataset that holds none out."""
    import pyarrow.parquet

    for split in ("test", "train"):
        files = sorted(Path(folder, split).glob("*.parquet"))
        rows = [row for each in files for row in pyarrow.parquet.read_table(each).to_pylist()]
        if rows:
            return rows
    raise SystemExit(f"error: {folder} has no rows: its cleaning, or its split, left none")


def prompts_of(labels, folder="in/prompts", *, looking=True):
    """The prompts in the order of the spec, each with the index that it looks up; one that says nothing where there are none."""
    homes = [Path(folder, str(at)) for at in range(len(labels))]
    told = [json.loads((home / "prompt.json").read_text(encoding="utf-8")) for home in homes]
    for home, each in zip(homes, told, strict=True):
        if looking and each.get("retrieval"):
            import retrieving  # beside this module where a prompt looks something up

            each["index"] = retrieving.of_prompt(home)
    return list(zip(labels, told, strict=True)) or [("", {})]


def paired(rows, prompts, by=()):
    """Each row under the prompt that a column of it names; where no column does, under every prompt."""
    labels = [label for label, _ in prompts]
    told = []
    column = naming(rows, labels, by) if len(labels) > 1 else None
    for at, row in enumerate(rows):
        found = question(row)
        if found is None:
            continue
        messages = found[0] if isinstance(found[0], list) else [{"role": "user", "content": found[0]}]
        for label, prompt in prompts:
            if column is None or row[column] == label:
                name = f"{at}" if column is not None or len(labels) == 1 else f"{at}/{label}"
                told.append(Asked(name, messages, found[1], row, prompt, label))
    return told, column


def naming(rows, labels, by):
    """The column whose every value is the label of a prompt: those that make groups are looked at first."""
    names = dict.fromkeys([*by, *(rows[0] if rows else ())])
    known = set(labels)
    for name in names:
        values = {row.get(name) for row in rows if not isinstance(row.get(name), list | dict)}
        if values and values <= known:
            return name
    return None


def chat(asked):
    """The messages as the model gets them: system, examples, what was looked up, question."""
    before = [{"role": "system", "content": asked.prompt["system"]}] if asked.prompt.get("system") else []
    own = asked.messages
    if before and own and own[0]["role"] == "system":
        own = own[1:]
    messages = [*before, *asked.prompt.get("few_shot", []), *own]
    index = asked.prompt.get("index")
    return index.ask(messages) if index is not None else messages
