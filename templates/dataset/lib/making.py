"""The steps of making a dataset, one function each: open sources, prepare operations, choose sides, write what is left."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import card
import cleaning
import duplicates
import forms
import numpy as np
import passes
import reading
import shards
import splitting
from flaws import Bad, stop
from reading import Record
from spool import item_of

TRAIN, TEST = 0, 1


@dataclass(frozen=True)
class Source:
    """Where rows come from: its form, and its records, each with the side that it must stay on."""

    name: str
    form: str
    records: Callable
    size: int = 0  # bytes, where that is known
    counts: object = None  # where not all of it is taken: how many were kept and dropped, and an example


def opened(sources, *, given, per, changes):
    """Every source, with its form: as the spec says, as its card says, or by its first row."""
    return [_opened(source, given, per, changes) for source in sources]


def _opened(source, given, per, changes):
    if source["type"] == "dataset":
        folder = Path("in") / source["at"]
        form = json.loads((folder / "card.json").read_text(encoding="utf-8"))["format"]
        return Source(source["at"], given if given != "auto" else form, lambda: rows_of(folder))
    if source["type"] == "grammar":
        import grammar

        told = grammar.read(Path("recipe/grammar.json"), source)
        return Source("generate", given if given != "auto" else _form(next(told.rows())[1], "the grammar", changes), told.records)
    if source["type"] == "written":
        import writing

        folder = Path("in/written/from")
        form = json.loads((folder / "card.json").read_text(encoding="utf-8"))["format"]
        told = writing.Written(source, [(side, _present(record.value)) for side, record in rows_of(folder)], form)
        return Source("written", given if given != "auto" else form, told.records, counts=told)
    if source["type"] == "hub":
        import published

        files = published.files(source)
    else:
        files = reading.files_of(Path("in") / source["at"], source["kind"])
    form = given
    if given == "auto":
        texts = {"txt", "md", "html", "pdf"} >= {kind for _, kind in files} and not changes
        form = "text" if texts else _form_of_first(files, per, changes)
    return Source(
        source.get("at", "hub"),
        form,
        lambda: (("", record) for file, kind in files for record in reading.read(file, kind, per=per)),
        sum(file.stat().st_size for file, _ in files),
    )


def _form_of_first(files, per, changes):
    """The form of the first row that can be read; where none can, what is wrong with the first of all."""
    first = None
    for path, kind in files:
        for record in reading.read(path, kind, per=per):
            try:
                row = reading.value_of(record)
            except Bad as flaw:
                first = first or f"{record.place}: {flaw.says}\n  {flaw.step}"
                continue
            return _form(row, record.place, changes)
    return stop(f"no row can be read; the first one is\n{first}")


def _form(row, place, changes):
    try:
        told = forms.mapped(row, changes)
    except Bad as flaw:
        return stop(f"{place}: {flaw.says}\n  {flaw.step}")
    form = forms.detect(told)
    if form is None:
        has = ", ".join(f"`{name}`" for name in told) or "none"
        step = "`format: ...` says it; `map: {messages: COLUMN}` renames columns"
        if len(told) == 1 and ";" in next(iter(told)):
            step = "its cells stand behind `;`: a CSV file has commas between them, a TSV file tabs"
        stop(f"{place}: its columns tell no format: {has}\n  {step}")
    return form


def common_form(sources):
    """The form that all rows will have."""
    told = {forms.BECOMES.get(each.form, each.form): each.name for each in sources}
    if len(told) > 1:
        (one, first), (two, second) = list(told.items())[:2]
        stop(f"`{first}` holds {one}, `{second}` {two}\n  a dataset has one form: `map` or two datasets bring them together")
    return next(iter(told))


def records(sources):
    """Every record with its side and its source."""
    return chain.from_iterable(((side, at, record) for side, record in source.records()) for at, source in enumerate(sources))


def rows_of(folder):
    """The rows of another dataset: what it holds out stays held out."""
    for side, name in (("", "train"), ("test", "test")):
        for path in sorted((folder / name).glob("*.parquet")):
            for record in reading.parquet(path, f"{name}/{path.name}", None):
                yield side, Record(record.place, record.value)


def _present(row):
    """A row without the columns that only others have."""
    return {name: value for name, value in row.items() if value is not None}


def prepared(operations, sources, seed, served=None):
    """The operations with what they need: the rows of an exam become the runs of words that it asks.

    What prompts put before a chat comes last, so that nothing rewrites it, and is held against the same exams.
    """
    told = []
    weights = [source.get("weight") for source in sources]
    if any(weight is not None for weight in weights):
        told.append(("mixture", {"weights": weights, "seed": seed}))
    for name, setting in operations:
        if name == "decontaminate":
            folder = Path("in") / setting["at"]
            form = json.loads((folder / "card.json").read_text(encoding="utf-8"))["format"]
            told.append((name, cleaning.runs_of(text for _, each in rows_of(folder) for text in forms.asked(each.value, form))))
        else:
            told.append((name, setting))
    if served is None:
        return told
    return [*told, ("served", served), *(each for each in told if each[0] == "decontaminate")]


def sides(clean, split):
    """The side of each row: what had to stay on one stays there, the rest is split."""
    told = np.fromiter((TEST if item_of(line).side == "test" else TRAIN for line in clean.spool.lines()), "u1", clean.spool.rows)
    free = np.flatnonzero(told == TRAIN)
    if not split["test"]:
        return told
    if not len(free):
        stop("no row is left to split")
    strata = clean.strata[free]
    counts = np.bincount(strata, minlength=len(clean.strata_names))
    told[free[splitting.chosen(clean.groups[free], strata, splitting.shares(counts, split["test"]), split["seed"])]] = TEST
    if not (told == TEST).any() or (told == TEST).all():
        many = len(np.unique(clean.groups[free]))
        what = f"{split['test']:.0%} of {len(free):,} rows in {many:,} groups"
        stop(f"`split` cannot hold out {what}\n  use smaller groups, or more rows")
    return told


def capped(clean, sides, cap, seed):
    """Which rows stay when there may be only so many: each side and stratum in proportion, groups whole, no side without any."""
    rows = clean.spool.rows
    if cap is None or rows <= cap:
        return np.ones(rows, dtype=bool)
    cells = clean.strata.astype(np.int64) * 2 + sides
    counts = np.bincount(cells, minlength=2 * len(clean.strata_names))
    targets = _of_both(counts, splitting.shares(counts, cap / rows))
    kept = splitting.chosen(clean.groups, cells, targets, splitting.number("cap", seed))
    for side in (TRAIN, TEST):
        mine = np.flatnonzero(sides == side)
        if targets[side::2].any() and not kept[mine].any():  # every group is larger than what may be kept
            names, sizes = np.unique(clean.groups[mine], return_counts=True)
            kept[mine[clean.groups[mine] == names[np.argmin(sizes)]]] = True
    return kept


def _of_both(counts, targets):
    """One row at least of each side that has any: else what is held out would be gone, and an exam would ask what was trained."""
    for side in (TRAIN, TEST):
        mine = np.arange(len(counts)) % 2 == side
        if counts[mine].any() and not targets[mine].any() and targets.sum() > 1:
            targets[np.flatnonzero(mine)[np.argmax(counts[mine])]] += 1
            targets[np.flatnonzero(~mine)[np.argmax(targets[~mine])]] -= 1
    return targets


@dataclass
class Made:
    """What was written, and what is known of it."""

    form: str
    rows: dict  # before the cap
    written: dict
    columns: list
    operations: list
    lengths: dict
    balance: dict
    duplicates: int
    languages: dict
    samples: list

    def measures(self, bad):
        """The numbers that gates are about: after cleaning, before the cap."""
        told = {"rows": sum(self.rows.values()), "rows.train": self.rows["train"], "rows.test": self.rows["test"]}
        told |= {"tokens": self.lengths["sum"], "duplicates": self.duplicates, "dropped.bad": bad.count}
        for each in self.operations:
            told[f"dropped.{each.name}"] = told.get(f"dropped.{each.name}", 0) + each.dropped
        return {**told, **{f"language.{name}": count for name, count in sorted(self.languages.items())}, **self.balance}

    def card(self, bad, *, split, licence):
        """What is known, for people and for what reads the dataset."""
        first = bad.first and {"dropped": bad.first["row"], "because": bad.first["says"]}
        flawed = [{"name": "bad", "kept": None, "dropped": bad.count, "changed": 0, "example": first}] if first else []
        return {
            "format": self.form,
            "licence": licence or None,
            "rows": self.written,
            "rows_before_the_cap": self.rows if self.rows != self.written else None,
            "columns": self.columns,
            "operations": [*flawed, *(each.told() for each in self.operations)],
            "split": split,
            "lengths": self.lengths,
            "balance": self.balance,
            "duplicates": self.duplicates,
            "languages": self.languages,
            "samples": self.samples,
        }

    def sentence(self):
        """What was made, for the log."""
        test = f", {self.written['test']:,} of them held out" if self.written["test"] else ""
        return f"{sum(self.written.values()):,} rows of {self.form}{test}"


def told_of(sources, clean):
    """What sources dropped by themselves, then each operation."""
    for each in sources:
        if each.counts is not None:
            told = each.counts
            yield passes.Tally(each.name, kept=told.kept, dropped=told.dropped, example=told.example)
    yield from clean.operations


def written(clean, sides, kept, *, sources, form, stratify, tokenizer):
    """Write every row that stays to its side; tell what all of them were."""
    if clean.spool.rows == 0:
        dropped = ", ".join(f"{each.name} {each.dropped:,}" for each in clean.operations if each.dropped)
        stop(f"no row is left\n  {f'dropped by: {dropped}' if dropped else 'the sources hold none'}")
    outs = [shards.Side("out/train", clean.shape), shards.Side("out/test", clean.shape)]
    balance, samples = card.Balance(stratify), []
    shown = {int(each) for each in np.flatnonzero(kept)[card.places(int(kept.sum()))]}
    lines = passes.watched(clean.spool.lines(), lambda _: 1, clean.spool.rows, clean.progress)
    for at, line in enumerate(lines):
        row = item_of(line).row
        balance.add(row, forms.COLUMNS[form])
        if kept[at]:
            outs[sides[at]].add(row, len(line))
        if at in shown:
            samples.append(card.sample(row, form, tokenizer))
    for each in outs:
        each.close()
    return Made(
        form=form,
        rows={name: int((sides == at).sum()) for at, name in enumerate(("train", "test"))},
        written={name: each.rows for name, each in zip(("train", "test"), outs, strict=True)},
        columns=[{"name": each.name, "type": str(each.type)} for each in shards.schema_of(clean.shape)],
        operations=list(told_of(sources, clean)),
        lengths=card.lengths(clean.lengths, exact=bool(tokenizer)),
        balance=balance.measures(),
        duplicates=int(duplicates.repeated(clean.keys, clean.spool.rows).sum()),
        languages=sum((Counter(each.notes) for each in clean.operations if each.name == "language"), Counter()),
        samples=samples,
    )
