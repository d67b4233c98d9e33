"""Records -> clean rows: a few passes over files on disk, so that memory holds a batch and a few numbers a row."""

import json
from array import array
from dataclasses import dataclass, field
from itertools import islice

import cleaning
import duplicates
import forms
import numpy as np
import shards
import splitting
from flaws import Bad, stop
from progress import Progress
from reading import value_of
from spool import Item, Spool, batches, item_of, spread

GLOBAL = ("duplicates", "mixture")  # operations that look at all rows before they drop one
LONGEST_EXAMPLE = 600


@dataclass(frozen=True)
class Stage:
    """What one pass does to each row."""

    form: str
    given: tuple = ()  # the form of each source, in the first pass
    changes: dict = field(default_factory=dict)
    operations: tuple = ()  # (place, name, setting)
    key: str = "exact"
    last: bool = False
    group: tuple = ()
    stratify: tuple = ()
    tokenizer: str = ""


@dataclass
class Tally:
    """What one operation did, and one example of it."""

    name: str
    kept: int = 0
    dropped: int = 0
    changed: int = 0
    example: dict | None = None
    notes: dict = field(default_factory=dict)  # what was found in the rows that it kept, and how often

    def told(self):
        """As the card has it."""
        return {name: value for name, value in vars(self).items() if name != "notes"}

    def add(self, other):
        """Of a later batch."""
        self.kept += other.kept
        self.dropped += other.dropped
        self.changed += other.changed
        self.example = self.example or other.example
        for note, count in other.notes.items():
            self.notes[note] = self.notes.get(note, 0) + count


@dataclass
class Told:
    """What became of a batch."""

    lines: list = field(default_factory=list)
    keys: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    bad: list = field(default_factory=list)
    tallies: dict = field(default_factory=dict)
    # of the last pass, one of each a row
    groups: list = field(default_factory=list)
    strata: list = field(default_factory=list)
    lengths: list = field(default_factory=list)
    shape: object = None


def work(stage, batch):
    """One batch of records, or of lines of a spool, through a stage."""
    told = Told(tallies={at: Tally(name) for at, name, _ in stage.operations})
    for each in batch:
        if isinstance(each, bytes):
            item = item_of(each)
            place = "a row"
        else:
            item, place = _first(stage, told, each), each[2].place
            if item is None:
                continue
        row = _through(stage, told, item.row)
        if row is None:
            continue
        try:
            told.lines.append(Item(item.side, item.source, row).line())
        except Bad as flaw:
            told.bad.append((place, flaw.says, flaw.step, str(row)))
            continue
        told.sources.append(item.source)
        told.keys.append(duplicates.signature(row, stage.form) if stage.key == "minhash" else forms.digest(row, stage.form))
        if stage.last:
            _last(stage, told, row)
    return told


def _first(stage, told, each):
    """A record as an item; what cannot be used is told with its place."""
    side, source, record = each
    try:
        value = value_of(record)
        return Item(side, source, forms.normal(forms.mapped(value, stage.changes), stage.given[source]))
    except Bad as flaw:
        text = record.value.decode("utf-8", "replace") if isinstance(record.value, bytes) else str(record.value)
        told.bad.append((record.place, flaw.says, flaw.step, text))
        return None


def _through(stage, told, row):
    """A row through the operations of a pass; nothing when one dropped it."""
    for at, name, setting in stage.operations:
        tally, outcome = told.tallies[at], cleaning.OPERATIONS[name](row, stage.form, setting)
        if outcome.row is None:
            tally.dropped += 1
            tally.example = tally.example or {"dropped": short(forms.shown(row, stage.form)), "because": outcome.why}
            return None
        tally.kept += 1
        if outcome.note:
            tally.notes[outcome.note] = tally.notes.get(outcome.note, 0) + 1
        if outcome.changed:
            tally.changed += 1
            # what was redacted is in no card
            before = {} if name == "redact" else {"before": short(forms.shown(row, stage.form))}
            tally.example = tally.example or {**before, "after": short(forms.shown(outcome.row, stage.form))}
        row = outcome.row
    return row


def _last(stage, told, row):
    for column in (*stage.group, *stage.stratify):
        if row.get(column) is None:
            what = "group" if column in stage.group else "stratify"
            stop(f"no column `{column}`, which `split.{what}` names, in the row {short(json.dumps(row, ensure_ascii=False))}")
    whole = told.keys[-1][:8]
    told.groups.append(
        splitting.number(*(row[column] for column in stage.group)) if stage.group else int.from_bytes(whole, "little")
    )
    told.strata.append("\0".join(str(row[column]) for column in stage.stratify))
    told.lengths.append(length_of(row, stage))
    told.shape = shards.merged(told.shape, shards.shape_of(row))


def length_of(row, stage):
    """Tokens of a row: counted where there is a tokenizer, else a quarter of its bytes."""
    if stage.tokenizer:
        from tokens import count

        return count(row, stage.form, stage.tokenizer)
    return -(-sum(len(each.encode()) for each in forms.texts(row, stage.form)) // 4)


def short(text):
    """A text for people, cut."""
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1] + "…"


@dataclass
class Clean:
    """All rows that are left, and what is known of each by its number."""

    spool: Spool
    keys: object
    operations: list
    groups: object = None
    strata: object = None
    strata_names: list = field(default_factory=list)
    lengths: object = None
    shape: object = None
    sources: object = None
    progress: object = None


def run(records, operations, base, *, bad, workers, size=0):
    """The rows that the operations leave of the records, in order; `base` is a stage without operations.

    `size` is about how many bytes the records have, for whoever watches; where none are known, a source speaks for itself.
    """
    ahead = list(enumerate(operations))
    tallies = {at: Tally(name) for at, (name, _) in ahead}
    progress = Progress(2 + sum(name in GLOBAL for name, _ in operations)) if size else None
    given, number = batches(watched(records, _size, size, progress), _size), 0
    while True:
        streaming = []
        while ahead and ahead[0][1][0] not in GLOBAL:
            at, (name, setting) = ahead.pop(0)
            streaming.append((at, name, setting))
        ender = ahead.pop(0) if ahead else None
        done = _pass(given, _stage(base, streaming, ender), tallies, bad, workers=workers, number=number)
        if number == 0:
            bad.judge()
        if progress is not None:
            progress.over()
        if ender is None:
            done.progress = progress
            done.operations = [tallies[at] for at in sorted(tallies)]
            return done
        drop = _dropped(done, *ender[1])
        _tell(tallies[ender[0]], done, drop, base.form)
        lines = watched(done.spool.lines(drop), lambda _: 1, done.spool.rows, progress)
        given, number = batches(lines, len), number + 1


def watched(things, size_of, total, progress):
    """The same things, and how far they have come."""
    done = 0
    for each in things:
        yield each
        done += size_of(each)
        if progress is not None:
            progress.at(done / total)


def _stage(base, streaming, ender):
    is_near = ender is not None and ender[1][0] == "duplicates" and ender[1][1]["by"] == "minhash"
    changes = {"operations": tuple(streaming), "key": "minhash" if is_near else "exact", "last": ender is None}
    return Stage(**{**vars(base), **changes})


def _size(each):
    """About how many bytes a record has."""
    value = each[2].value
    return len(value) if isinstance(value, bytes) else 100 + sum(len(text) for text in value.values() if isinstance(text, str))


def _pass(given, stage, tallies, bad, *, workers, number):
    spool, keys = Spool(f"pass-{number}"), duplicates.Keys(f"pass-{number}")
    groups, strata, lengths, sources, names, shape = array("Q"), array("I"), array("I"), array("H"), {}, None
    for told in spread(work, stage, given, workers):
        spool.add(told.lines)
        keys.add(told.keys)
        sources.extend(told.sources)
        for flaw in told.bad:
            bad.take(*flaw)
        for at, tally in told.tallies.items():
            tallies[at].add(tally)
        groups.extend(told.groups)
        strata.extend(names.setdefault(name, len(names)) for name in told.strata)
        lengths.extend(told.lengths)
        shape = shards.merged(shape, told.shape)
    spool.close()
    keys.close()
    rows = [_numbers(each) for each in (groups, strata)]
    return Clean(spool, keys.path, [], *rows, list(names), _numbers(lengths), shape, _numbers(sources))


def _numbers(values):
    return np.frombuffer(values, dtype=values.typecode) if values else np.zeros(0, dtype=values.typecode)


def _dropped(done, name, setting):
    if name == "mixture":
        return ~splitting.mixture(done.sources, setting["weights"], setting["seed"])
    if setting["by"] == "minhash":
        return duplicates.similar(done.keys, done.spool.rows, setting["similarity"])
    return duplicates.repeated(done.keys, done.spool.rows)


def _tell(tally, done, drop, form):
    """What an operation over all rows dropped, and the first one of it."""
    tally.dropped, tally.kept = int(drop.sum()), int((~drop).sum())
    if tally.dropped:
        line = next(islice(done.spool.lines(), int(np.flatnonzero(drop)[0]), None))
        tally.example = {"dropped": short(forms.shown(item_of(line).row, form))}
