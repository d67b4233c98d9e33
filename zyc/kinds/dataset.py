"""The kind `dataset`: rows from files, other datasets, the hub, a grammar or a model; cleaned, split, written as parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from zyc.craft import personas
from zyc.craft.rows import knowing
from zyc.craft.rows.doubts import doubts
from zyc.craft.rows.operations import Operation
from zyc.craft.rows.sources import HEADED, Generate, Source, rows_are_lines, type_of
from zyc.craft.rows.spec import DatasetSpec
from zyc.gates import Gate, Interval
from zyc.kind import Case, Estimate, FileNeed, Kind, Measure, Need, Objection, Recipe
from zyc.types import Dataset

TWIN_ROWS = 2_000
TWIN_WRITTEN = 16  # rows that a model writes in a twin: it is slow, and its twin writes nothing worth more
TWIN_TOKENS = 24
_LANGUAGES = 75  # that lingua tells apart where nobody says which
_SPEED = 4e6  # bytes a second and core


class DatasetKind(Kind[DatasetSpec]):
    """Rows of one form in parquet shards, with a card that tells what was done to them.

    Sources are read row by row, brought into one form, cleaned by a list of operations, split, and written. A row that cannot be
    used is counted and shown with its file and line, and fails the node above `max_bad`.
    """

    name = "dataset"
    section = "datasets"
    Spec = DatasetSpec
    gives = Dataset
    measures = {
        "rows": Measure("rows after cleaning, before the split and the cap"),
        "rows.train": Measure("rows that are not held out"),
        "rows.test": Measure("rows that are held out"),
        "tokens": Measure("tokens of all rows; a quarter of their bytes without a tokenizer"),
        "duplicates": Measure("rows that are left and say exactly what an earlier one says"),
        "dropped.*": Measure("rows that an operation dropped"),
        "balance.*": Measure("rows with a value of a column: `balance.topic.law`"),
        "language.*": Measure("rows in a language, where `clean` looks at languages"),
    }
    only_real = ("rows.train", "rows.test", "tokens")
    shares = ("asked.py", "asking.py", "chats.py", "embedding.py", "flaws.py", "forms.py", "hub.py", "retrieving.py")
    proof = "hygiene"

    def shorthand(self, value: str) -> Mapping[str, Any] | None:
        """`notes: data/notes.jsonl` is a dataset of one source."""
        return {"from": value}

    def needs(self, spec: DatasetSpec) -> Iterable[Need]:
        """Lines are counted where a line is a row, and the first row is looked at; a grammar is read."""
        for at, each in enumerate(spec.source):
            if each.path is not None:
                lines, head = rows_are_lines(each.path.path, spec.per), type_of(each.path.path) in HEADED
                yield FileNeed(each.path.path, f"from.{at}.path", lines=lines, head=head)
        if spec.generate is not None:
            yield FileNeed(spec.generate.grammar.path, "generate.grammar", text=True, data=True)
        if (need := knowing.hub_need(spec)) is not None:
            yield need

    def place(self, path: str) -> str:
        """Sources stand at `in/from/0`, exams at `in/clean/2`."""
        for end in (".node", ".path", ".decontaminate", ".judge"):
            path = path.removesuffix(end)
        return path.replace(".", "/")

    def twin(self, spec: DatasetSpec) -> DatasetSpec:
        """A few thousand rows; what gates are about is counted before they are cut down. The hub has its stand-in, if any."""
        changes: dict[str, object] = {"cap": min(spec.cap or TWIN_ROWS, TWIN_ROWS)}
        if spec.stand_in:
            files = tuple(Source(node=None, path=each, weight=None) for each in spec.stand_in)
            gone = {"hub": "", "revision": "", "subset": "", "files": (), "token": None, "stand_in": ()}
            changes |= {"source": files, **gone}
        if spec.written is not None:
            few: dict[str, object] = {"count": min(spec.written.count or TWIN_WRITTEN, TWIN_WRITTEN)}
            few["max_tokens"] = min(spec.written.max_tokens, TWIN_TOKENS)
            if spec.written.keep is not None:  # what a toy model writes is worth nothing: the judge says so, and it stays
                few["keep"] = spec.written.keep.model_copy(update={"least": float("-inf")})
            changes["written"] = spec.written.model_copy(update=few)
        return spec.model_copy(update=changes)

    def rehearsed(self, spec: DatasetSpec) -> tuple[Gate, ...]:
        """Counts are those of the real data where the twin reads the same: no stand-in, and nothing that was cut down before."""
        others = spec.stand_in or spec.written is not None or any(each.node is not None for each in spec.source)
        return () if others else super().rehearsed(spec)

    def resumes(self, spec: DatasetSpec) -> bool:
        """What a model has written is kept."""
        return spec.written is not None

    def check(self, case: Case[DatasetSpec]) -> Iterable[Objection]:
        """What can be told of sources before they are read."""
        return doubts(case)

    def facts(self, case: Case[DatasetSpec]) -> Dataset:
        """What the spec and the sources tell."""
        rows, size, cap = knowing.rows(case), knowing.size(case), case.spec.cap
        if cap is not None and rows is not None and rows > cap:
            size, rows = None if size is None else size * cap // rows, cap
        before = knowing.put_before(case)
        more = 0 if not before else None if rows is None else rows * before
        tokens = None if size is None or before is None or more is None else size // 4 + more
        known = (knowing.form(case), rows, tokens, knowing.test(case), knowing.turns(case), knowing.licence(case))
        return Dataset(*known, prompted=knowing.prompted(case), columns=knowing.columns(case))

    def estimate(self, case: Case[DatasetSpec]) -> Estimate:
        """Rows are counted, and time and memory follow from bytes."""
        rows, size, cpus = knowing.rows(case), knowing.size(case), case.spec.placement.cpus
        if size is None:
            return Estimate(result="" if rows is None else f"{rows:,} rows")
        told = [_by_language(each, rows, size) for each in case.spec.clean if each.language is not None]
        seconds = 1.0 + (size / _SPEED + sum(took for took, _ in told)) / cpus
        known = () if rows is None else (("rows", Interval(*knowing.bounds(case, rows), "counted in its sources")),)
        return Estimate(
            seconds=Interval(seconds / 2, seconds * 3),
            memory=(250_000_000 + max((held for _, held in told), default=0)) * cpus + 60 * (rows or size // 500),
            disk=size // 2 + 20_000,
            result="" if rows is None else f"{min(rows, case.spec.cap or rows):,} rows",
            measures=known,
        )

    def recipe(self, case: Case[DatasetSpec]) -> Recipe:
        """Sources by their place in `in/`, operations with their settings."""
        spec, split = case.spec, case.spec.split
        grammar = {} if spec.generate is None else {"grammar.json": _as_json(knowing.grammar_of(case).plain())}
        values = {
            "spec": spec,
            "sources": _sources(spec, knowing.hub(case).commit),
            "changes": {name: _change(each.column, each.value) for name, each in sorted(spec.map.items())},
            "clean": [[_name(each), _setting(at, each)] for at, each in enumerate(spec.clean)],
            "split": {
                "test": split.test if split else 0.0,
                "stratify": split.stratify if split else (),
                "group": split.group if split else (),
                "seed": split.seed if split else 0,
            },
            "tokenizer": "" if spec.tokenizer is None else "in/tokenizer",
            "served": _served(spec),
            "uses": _uses(case),
        }
        return Recipe(values=values, files=grammar, without=_without(case))


def _by_language(operation: Operation, rows: int | None, size: int) -> tuple[float, int]:
    """Seconds of one core, and bytes of one process: lingua looks at the first 2,000 letters with a model of each language."""
    among = len(operation.language.among) if operation.language is not None else 0
    count = among or _LANGUAGES
    looked_at = min(size, 2_000 * rows) if rows is not None else size
    return looked_at * (0.54e-6 + 0.06e-6 * count), min(940_000_000, 42_000_000 * count)


def _without(case: Case[DatasetSpec]) -> frozenset[str]:
    """The modules of sources that it does not have."""
    spec = case.spec
    told = {"grammar.py": spec.generate is None, "writing.py": spec.written is None}
    told |= dict.fromkeys(("published.py", "hub.py"), not spec.hub)
    told |= {"tokens.py": spec.tokenizer is None, "chats.py": spec.tokenizer is None and spec.served is None}
    told |= dict.fromkeys(("under.py", "asked.py", "asking.py"), spec.served is None)
    return frozenset(name for name, gone in told.items() if gone) | personas.unread(_finds(case))


def _finds(case: Case[DatasetSpec]) -> str:
    """What looks up passages for its chats."""
    return personas.looks_up(case.every("served.prompts"))


def _served(spec: DatasetSpec) -> dict[str, object] | None:
    """What is put before its chats."""
    return None if spec.served is None else {"labels": [each.label for each in spec.served.prompts], "by": spec.served.by}


def _as_json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _sources(spec: DatasetSpec, commit: str) -> list[dict[str, object]]:
    """Where rows come from, as the script reads it."""
    told: list[dict[str, object]] = []
    for at, each in enumerate(spec.source):
        if each.path is None:
            told.append({"type": "dataset", "at": f"from/{at}", "weight": each.weight})
        else:
            told.append({"type": "files", "at": f"from/{at}", "kind": type_of(each.path.path), "weight": each.weight})
    if spec.hub:
        hub = {"name": spec.hub, "commit": commit, "subset": spec.subset, "part": spec.part, "files": spec.files}
        told.append({"type": "hub", **hub, "token": str(spec.token or "")})
    if spec.generate is not None:
        told.append({"type": "grammar", **_asked(spec.generate)})
    if spec.written is not None:
        written = spec.written
        told.append(
            {
                "type": "written",
                "prompt": written.prompt,
                "into": written.into,
                "count": written.count,
                "times": written.times,
                "least": None if written.keep is None else written.keep.least,
                "temperature": written.temperature,
                "max_tokens": written.max_tokens,
                "seed": written.seed,
            }
        )
    return told


def _asked(generate: Generate) -> dict[str, object]:
    """What is asked of a grammar."""
    holdout = generate.holdout
    return {
        "count": generate.count,
        "balance": {slot: dict(sorted(shares.items())) for slot, shares in sorted(generate.balance.items())},
        "holdout": None
        if holdout is None
        else {
            "slots": holdout.slots,
            "share": holdout.share,
            "combinations": holdout.combinations,
            "seed": holdout.seed,
        },
        "side": generate.side,
        "copies": generate.copies,
        "seed": generate.seed,
    }


def _change(column: str | None, value: str | None) -> dict[str, str]:
    return {"column": column} if column is not None else {"value": value or ""}


def _name(operation: Operation) -> str:
    return "duplicates" if operation.drop is not None else operation.name


def _setting(at: int, operation: Operation) -> object:
    """What an operation needs to know, as plain data."""
    if operation.decontaminate is not None:
        return {"at": f"clean/{at}"}
    if operation.drop is not None:
        return {"by": operation.drop.duplicates, "similarity": operation.drop.similarity}
    if operation.redact is not None:
        return [
            {"what": each.what} if each.what else {"pattern": each.pattern, "instead": each.instead} for each in operation.redact
        ]
    return getattr(operation, operation.name)


def _uses(case: Case[DatasetSpec]) -> dict[str, bool]:
    """The packages that only some datasets need."""
    spec, names = case.spec, {each.name for each in case.spec.clean}
    return {
        "ftfy": "mojibake" in names,
        "lingua": "language" in names,
        "pypdf": "pdf" in {type_of(path) for path in knowing.paths(case)},
        "hub": bool(spec.hub),
        "faiss": _finds(case) != "",
        "transformers": spec.written is not None or spec.tokenizer is not None or _finds(case) == "model",
        "torch": spec.written is not None or _finds(case) == "model",
    }
