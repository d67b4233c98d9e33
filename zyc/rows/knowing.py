"""What is known of rows before they are read: their form, how many, how large, from counts of lines and facts of sources."""

from __future__ import annotations

from zyc.kind import Case
from zyc.rows.grammar import Grammar, Wrong, read
from zyc.rows.sources import DOCUMENTS, Source, rows_are_lines, type_of
from zyc.rows.spec import DatasetSpec
from zyc.types import Dataset

BECOMES = {"sharegpt": "messages", "alpaca": "messages"}
# the columns that tell a form, as the step looks for them
COLUMNS = (
    ("messages", ("messages",)), ("preference", ("chosen", "rejected")), ("unpaired", ("prompt", "completion", "label")),
    ("prompt-completion", ("prompt", "completion")), ("questions", ("question", "answer")), ("text", ("text",)),
)  # fmt: skip


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
    """What a row will be, where the spec or a source tells it."""
    spec = case.spec
    if spec.format != "auto":
        return BECOMES.get(spec.format, spec.format)
    if spec.map:
        return next((form for form, columns in COLUMNS if all(each in spec.map for each in columns)), None)
    if spec.generate is not None:
        return _form_of_grammar(case)
    if spec.written is not None:
        facts = case.inputs.get("written.from")
        return facts.format if isinstance(facts, Dataset) else None
    told: set[str | None] = {facts.format for facts in upstream(case).values()}
    files = paths(case)
    if files:
        told.add("text" if {type_of(name) for name in files} <= {*DOCUMENTS} else None)
    return told.pop() if len(told) == 1 else None


def _form_of_grammar(case: Case[DatasetSpec]) -> str | None:
    try:
        grammar = grammar_of(case)
    except Wrong:
        return None
    told = next(iter(grammar.forms.values()))
    columns = {*grammar.columns, *told["columns"], *(("messages",) if "messages" in told else ())}
    return next((form for form, needed in COLUMNS if all(each in columns for each in needed)), None)


def turns(case: Case[DatasetSpec]) -> str | None:
    """Whether chats have one turn or several."""
    if case.spec.generate is not None:
        try:
            forms = grammar_of(case).forms.values()
        except Wrong:
            return None
        counts = [sum(each["role"] == "assistant" for each in told["messages"]) for told in forms if "messages" in told]
        return None if not counts else "single" if max(counts) == 1 else "multi"
    if case.spec.format == "alpaca":
        return "single"
    told = {facts.turns for facts in upstream(case).values()}
    return told.pop() if len(told) == 1 and not paths(case) and not case.spec.hub else None


def counts(case: Case[DatasetSpec]) -> list[int | None]:
    """The rows of each source, as far as they can be counted."""
    above, told = upstream(case), []
    for at, each in enumerate(case.spec.source):
        told.append(above[f"from.{at}.node"].rows if each.path is None and f"from.{at}.node" in above else _count(case, each))
    return told


def _count(case: Case[DatasetSpec], source: Source) -> int | None:
    if source.path is None:
        return None
    found, files = case.files[source.path.path], names(case, source)
    if rows_are_lines(source.path.path, case.spec.per):
        headers = len(files) if type_of(source.path.path) in ("csv", "tsv") else 0
        return None if found.lines is None else max(0, found.lines - headers)
    whole = {type_of(name) for name in files} <= ({*DOCUMENTS} if case.spec.per == "document" else {"html", "pdf"})
    return len(files) if whole else None


def rows(case: Case[DatasetSpec]) -> int | None:
    """The rows of all sources together, before they are cleaned."""
    spec = case.spec
    if spec.generate is not None:
        return spec.generate.count
    if spec.written is not None:
        facts = case.inputs.get("written.from")
        known = facts.rows if isinstance(facts, Dataset) else None
        start = spec.written.count if known is None else min(known, spec.written.count or known)
        return None if start is None else start * spec.written.times
    given = counts(case)
    known_ = [each for each in given if each is not None]
    if len(known_) != len(given) or not known_:
        return None
    shares = [each.weight for each in spec.source if each.weight is not None]
    if len(shares) == len(known_) > 1:
        total = min(count / share for count, share in zip(known_, shares, strict=True))
        return sum(round(total * share) for share in shares)
    return sum(known_)


def bounds(case: Case[DatasetSpec], count: int) -> tuple[int, int]:
    """What cleaning may leave of so many rows: exact where every one of them was counted and nothing drops one."""
    spec = case.spec
    lines = all(each.path is not None and type_of(each.path.path) == "jsonl" and each.weight is None for each in spec.source)
    exact = spec.generate is not None or (bool(spec.source) and lines)
    keeps = {each.name for each in spec.clean} <= {"unicode", "mojibake"}
    return (max(0, count - spec.max_bad) if exact and keeps else 0, count)


def size(case: Case[DatasetSpec]) -> int | None:
    """The bytes of all sources."""
    spec = case.spec
    if spec.generate is not None:
        return spec.generate.count * 300
    told = [None if facts.tokens is None else facts.tokens * 4 for facts in upstream(case).values()]
    told += [case.files[each.path.path].bytes for each in spec.source if each.path is not None]
    if spec.written is not None:
        facts = case.inputs.get("written.from")
        told.append(facts.tokens * 4 * spec.written.times if isinstance(facts, Dataset) and facts.tokens is not None else None)
    known = [each for each in told if each is not None]
    return sum(known) if known and len(known) == len(told) else None


def test(case: Case[DatasetSpec]) -> float | None:
    """The share that is held out: what the spec says, and what its sources hold out already."""
    spec = case.spec
    if spec.split is not None:
        return spec.split.test
    if spec.generate is not None:
        holdout = spec.generate.holdout
        return holdout.share if holdout is not None and spec.generate.side == "both" and not holdout.combinations else 0.0
    if spec.written is not None:
        facts = case.inputs.get("written.from")
        return facts.test if isinstance(facts, Dataset) else None
    told = {facts.test for facts in upstream(case).values()} | ({0.0} if paths(case) or spec.hub else set())
    return told.pop() if len(told) == 1 else None


def licence(case: Case[DatasetSpec]) -> str | None:
    """Its own, or that of its only source."""
    told = {facts.licence for facts in upstream(case).values()}
    return case.spec.licence or (told.pop() if len(told) == 1 and len(case.spec.source) == 1 else None)
