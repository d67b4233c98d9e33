"""What is known of rows before they are read: their form, how many, how large, from counts of lines and facts of sources."""

from __future__ import annotations

import csv
import json
from collections.abc import Container, Sequence
from functools import lru_cache

from zyc.craft.rows.grammar import Grammar, Wrong, read
from zyc.craft.rows.sources import DOCUMENTS, Source, rows_are_lines, type_of
from zyc.craft.rows.spec import DatasetSpec
from zyc.kind import Case, Hub, HubNeed
from zyc.types import Dataset, Prompt

BECOMES = {"sharegpt": "messages", "alpaca": "messages"}
# the columns that tell a form, as the step looks for them
COLUMNS = (
    ("messages", ("messages",)), ("sharegpt", ("conversations",)), ("alpaca", ("instruction", "output")),
    ("preference", ("chosen", "rejected")), ("unpaired", ("prompt", "completion", "label")),
    ("prompt-completion", ("prompt", "completion")), ("questions", ("question", "answer")), ("text", ("text",)),
)  # fmt: skip


def hub_need(spec: DatasetSpec) -> HubNeed | None:
    """What is asked of the hub."""
    if not spec.hub:
        return None
    # which files make a part is for its card to say: that any are here is all that can be asked
    return HubNeed(
        spec.hub, "hub", spec.revision or "main", ("README.md",), spec.files or ("*",), str(spec.token or ""), "dataset"
    )


def hub(case: Case[DatasetSpec]) -> Hub:
    """What this machine knows of it."""
    need = hub_need(case.spec)
    return Hub() if need is None else case.hubs.get(need.name, Hub())


def upstream(case: Case[DatasetSpec]) -> dict[str, Dataset]:
    """The facts of the sources that are datasets, by their field."""
    return {field: facts for field, facts in case.inputs.items() if field.startswith("from.") and isinstance(facts, Dataset)}


def paths(case: Case[DatasetSpec]) -> list[str]:
    """Every file that `from` names, folders and globs opened."""
    told = []
    for each in case.spec.source:
        if each.path is not None and each.path.path in case.files:
            told += names(case, each)
    return told


def names(case: Case[DatasetSpec], source: Source) -> list[str]:
    """The files of one source; hidden ones are nobody's rows."""
    assert source.path is not None
    inside = [name for name, _ in case.files[source.path.path].files if not name.rsplit("/", 1)[-1].startswith(".")]
    return inside or [source.path.path]


def grammar_of(case: Case[DatasetSpec]) -> Grammar:
    """The grammar that writes the rows; raises Wrong."""
    assert case.spec.generate is not None
    found = case.files.get(case.spec.generate.grammar.path)
    if found is None:
        raise Wrong(None, "it is not there")
    return read(found.data)


def form(case: Case[DatasetSpec]) -> str | None:
    """What a row will be, where the spec or its sources tell it."""
    spec = case.spec
    if spec.format != "auto":
        return BECOMES.get(spec.format, spec.format)
    told: set[str | None] = {facts.format for facts in (*upstream(case).values(), *started(case))} if not spec.map else set()
    told |= {_form_of_file(case, each) for each in spec.source if each.path is not None}
    if spec.map and (upstream(case) or spec.written is not None):
        told.add(form_by(spec.map))
    if spec.generate is not None:
        told.add(_form_of(grammar_of(case)))
    if spec.hub:
        told.add(None)
    return told.pop() if len(told) == 1 else None


def _form_of(grammar: Grammar) -> str | None:
    told = next(iter(grammar.forms.values()))
    return form_by({*grammar.columns, *told["columns"], *(("messages",) if "messages" in told else ())})


def _form_of_file(case: Case[DatasetSpec], source: Source) -> str | None:
    if {type_of(name) for name in names(case, source)} <= {*DOCUMENTS} and not case.spec.map:
        return "text"
    columns = first(case, source)
    return None if columns is None else form_by(columns)


def form_by(columns: Container[str]) -> str | None:
    """The form that columns tell."""
    form = next((form for form, needed in COLUMNS if all(each in columns for each in needed)), None)
    return BECOMES.get(form, form) if form else None


def first(case: Case[DatasetSpec], source: Source) -> set[str] | None:
    """The columns of the first row of a file, as `map` names them; None where it cannot be told."""
    given, taken = header(case, source), {change.column for change in case.spec.map.values()}
    return (given - {each for each in taken if each}) | {*case.spec.map} if given else None


def columns(case: Case[DatasetSpec]) -> tuple[str, ...] | None:
    """Those that any row has, where that is sure: a row may have what the first one has not."""
    told, taken = given(case), {change.column for change in case.spec.map.values()}
    return None if told is None else tuple(sorted((told - {each for each in taken if each}) | {*case.spec.map}))


def given(case: Case[DatasetSpec]) -> set[str] | None:
    """The same, as the files name them."""
    spec = case.spec
    if not spec.source or spec.hub or spec.generate is not None or spec.written is not None:
        return None
    told = [_every(case, each) if each.path is not None else None for each in spec.source]
    return None if None in told else set().union(*filter(None, told))


def _every(case: Case[DatasetSpec], source: Source) -> set[str] | None:
    """The columns of all rows of one file: of a table with a header, or of lines that are all known."""
    assert source.path is not None
    file, kind = case.files[source.path.path], type_of(source.path.path)
    if len(names(case, source)) > 1:
        return None
    if kind in ("csv", "tsv"):
        return header(case, source)
    return _of_lines(file.head) if kind == "jsonl" and len(file.head.encode()) >= file.bytes else None


@lru_cache(maxsize=256)
def _of_lines(text: str) -> set[str] | None:
    told: set[str] = set()
    for line in filter(str.strip, text.removeprefix("\ufeff").split("\n")):  # a text may hold a U+2028
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return None  # the build tells it with its line
        if not isinstance(row, dict):
            return None
        told |= {str(name) for name in row}
    return told or None


def header(case: Case[DatasetSpec], source: Source) -> set[str] | None:
    """The columns of the first row of a file, as it names them; None where it cannot be told."""
    assert source.path is not None
    head, kind = case.files[source.path.path].head.removeprefix("\ufeff").lstrip(), type_of(source.path.path)
    if kind in ("csv", "tsv"):
        try:
            line = next(csv.reader([head.partition("\n")[0].rstrip("\r")], delimiter="\t" if kind == "tsv" else ","), [])
        except csv.Error:
            return None  # the build tells it with its line
        given = {each.strip() for each in line}
    else:
        try:
            row, _ = json.JSONDecoder().raw_decode(head.removeprefix("[").lstrip())
        except (ValueError, RecursionError):
            return None
        # one object in a file may hold the rows
        if not isinstance(row, dict) or (kind == "json" and any(isinstance(each, list) for each in row.values())):
            return None
        given = {str(name) for name in row}
    return given or None


def started(case: Case[DatasetSpec]) -> list[Dataset]:
    """The facts of the dataset that a model starts from."""
    facts = case.inputs.get("written.from")
    return [facts] if isinstance(facts, Dataset) else []


def turns(case: Case[DatasetSpec]) -> str | None:
    """Whether chats have one turn or several."""
    if case.spec.format == "alpaca":
        return "single"
    told: set[str | None] = {facts.turns for facts in (*upstream(case).values(), *started(case))}
    told |= {_turns_of_file(case, each) for each in case.spec.source if each.path is not None}
    if case.spec.hub:
        told.add(None)
    if case.spec.generate is not None:
        forms = grammar_of(case).forms.values()
        counts = [sum(each["role"] == "assistant" for each in told["messages"]) for told in forms if "messages" in told]
        told.add(None if not counts else "single" if max(counts) == 1 else "multi")
    return "multi" if "multi" in told else told.pop() if len(told) == 1 else None


def _turns_of_file(case: Case[DatasetSpec], source: Source) -> str | None:
    """`multi` where one of the first rows has several answers; else nobody knows: a later one may."""
    assert source.path is not None
    if type_of(source.path.path) != "jsonl":
        return None
    renamed = case.spec.map.get("messages")
    name = renamed.column if renamed is not None else None
    return "multi" if _several(case.files[source.path.path].head, name or "messages") else None


@lru_cache(maxsize=256)
def _several(head: str, name: str) -> bool:
    """Whether one of the rows that a file begins with has several answers."""
    for line in head.splitlines()[:50]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return False  # cut off, or a row that the build will tell
        said = (row.get(name) or row.get("conversations")) if isinstance(row, dict) else None
        turns = [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
        if sum((each.get("role") or each.get("from")) in ("assistant", "gpt") for each in turns) > 1:
            return True
    return False


def counts(case: Case[DatasetSpec]) -> list[int | None]:
    """The rows of each source of `from`, as far as they can be counted."""
    above = upstream(case)
    return [
        _count(case, each) if each.path is not None else above[f"from.{at}.node"].rows if f"from.{at}.node" in above else None
        for at, each in enumerate(case.spec.source)
    ]


def _count(case: Case[DatasetSpec], source: Source) -> int | None:
    assert source.path is not None
    found, files = case.files[source.path.path], names(case, source)
    if rows_are_lines(source.path.path, case.spec.per):
        headers = len(files) if type_of(source.path.path) in ("csv", "tsv") else 0
        return None if found.lines is None else max(0, found.lines - headers)
    whole = {type_of(name) for name in files} <= ({*DOCUMENTS} if case.spec.per == "document" else {"html", "pdf"})
    return len(files) if whole else None


def rows(case: Case[DatasetSpec]) -> int | None:
    """The rows of all sources together, before they are cleaned."""
    spec, told = case.spec, counts(case)
    weights = [each.weight for each in spec.source if each.weight is not None]
    known = [each for each in told if each is not None]
    if len(weights) == len(known) > 1:
        total = min(count / share for count, share in zip(known, weights, strict=True))
        told = [round(total * share) for share in weights]
    if spec.generate is not None:
        told.append(spec.generate.count)
    if spec.written is not None:
        start = [each.rows for each in started(case)]
        limits = [each for each in (*start, spec.written.count) if each is not None]
        told.append(min(limits) * spec.written.times if limits else None)
    if spec.hub:
        told.append(None)
    return _sum(told)


def _sum(told: list[int | None]) -> int | None:
    known = [each for each in told if each is not None]
    return sum(known) if known and len(known) == len(told) else None


def bounds(case: Case[DatasetSpec], count: int) -> tuple[int, int]:
    """What cleaning may leave of so many rows: exact where every one of them was counted and nothing drops one."""
    spec = case.spec
    exact = all(each.path is not None and type_of(each.path.path) == "jsonl" and each.weight is None for each in spec.source)
    keeps = {each.name for each in spec.clean} <= {"unicode", "mojibake"}
    return (max(0, count - spec.max_bad) if exact and keeps and spec.written is None else 0, count)


def size(case: Case[DatasetSpec]) -> int | None:
    """The bytes of all sources."""
    spec = case.spec
    told = [None if facts.tokens is None else facts.tokens * 4 for facts in upstream(case).values()]
    told += [case.files[each.path.path].bytes for each in spec.source if each.path is not None]
    if spec.generate is not None:
        told.append(spec.generate.count * 300)
    if spec.written is not None:
        told += [None if facts.tokens is None else facts.tokens * 4 * spec.written.times for facts in started(case)]
    return None if spec.hub else _sum(told)


def test(case: Case[DatasetSpec]) -> float | None:
    """The share that is held out: what the spec says, and what its sources hold out already."""
    spec = case.spec
    if spec.split is not None:
        return spec.split.test
    told: set[float | None] = {facts.test for facts in (*upstream(case).values(), *started(case))}
    if paths(case) or spec.hub:
        told.add(0.0)
    if spec.generate is not None:
        holdout = spec.generate.holdout if spec.generate.side == "both" else None
        told.add(0.0 if holdout is None else None if holdout.combinations else holdout.share)
    return told.pop() if len(told) == 1 else None


def licence(case: Case[DatasetSpec]) -> str | None:
    """Its own, or that of its only source."""
    told = {facts.licence for facts in upstream(case).values()}
    return case.spec.licence or (told.pop() if len(told) == 1 and len(case.spec.source) == 1 else None)


def prompted(case: Case[DatasetSpec]) -> int | None:
    """Tokens that prompts put before each question, at most; those that its sources already have are among them."""
    return _most([put_before(case), *(facts.prompted for facts in (*upstream(case).values(), *started(case)))])


def put_before(case: Case[DatasetSpec]) -> int | None:
    """Tokens that its own prompts put before a question, at most."""
    return _most([each.tokens for _, each in case.every("served.prompts") if isinstance(each, Prompt)])


def _most(told: Sequence[int | None]) -> int | None:
    """The largest; None where one is not known."""
    known = [each for each in told if each is not None]
    return max(known, default=0) if len(known) == len(told) else None
