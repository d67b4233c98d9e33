"""What makes a dataset impossible, told from its spec, its grammar and the facts of its sources."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator

from zyc.craft.rows import knowing
from zyc.craft.rows.grammar import Grammar, Wrong
from zyc.craft.rows.sources import HEADED, TYPES, Generate, type_of
from zyc.craft.rows.spec import DatasetSpec
from zyc.errors import guess
from zyc.kind import Case, Objection
from zyc.types import Model, Scorer

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
_OF_THE_HUB = ("revision", "subset", "files", "token", "stand_in")
_ENUMERATED = 1_000_000
_CHATS, _UNASKED = ("messages", "prompt-completion", "preference", "unpaired"), ("questions", "text")


def doubts(case: Case[DatasetSpec]) -> Iterator[Objection]:
    """All of them."""
    spec = case.spec
    if not spec.source and not spec.hub and spec.generate is None and spec.written is None:
        yield Objection("", "a dataset needs a source", "write `from`, `hub`, `generate` or `written`")
    if not spec.hub:
        for name in _OF_THE_HUB:
            if getattr(spec, name):
                yield Objection(name, f"`{name}` is about the hub, and there is no `hub`", "name the dataset: `hub: org/name`")
    elif REPOSITORY.fullmatch(spec.hub) is None:
        yield Objection("hub", f"`{spec.hub}` is not the name of a repository", "for example `org/name`; a file is `from:`")
    yield from _weights(spec)
    yield from _endings(case)
    yield from _forms(case)
    yield from _given(case)
    yield from _renamed(case)
    yield from _columns(case)
    if spec.generate is not None:
        yield from _generated(case, spec.generate)
    yield from _written(case)
    yield from _served(case)


def _weights(spec: DatasetSpec) -> Iterator[Objection]:
    given = [each.weight for each in spec.source if each.weight is not None]
    if given and len(given) < len(spec.source):
        yield Objection("from", "some sources have a share and some have none", "give each its share: `{old: 30%, new: 70%}`")
    elif given and abs(sum(given) - 1) > 1e-6:
        yield Objection("from", f"the shares of the sources sum to {sum(given):.4%}".replace(".0000%", "%"), "they sum to 100%")
    for at, each in enumerate(spec.source):
        if (each.node is None) == (each.path is None):
            yield Objection(f"from.{at}", "a source is a path or a dataset, one of them", "write its name alone")


def _endings(case: Case[DatasetSpec]) -> Iterator[Objection]:
    for at, each in enumerate(case.spec.source):
        if each.path is not None:
            unknown = next((name for name in knowing.names(case, each) if not type_of(name)), None)
            if unknown is not None:
                known = ", ".join(f"`{ending}`" for ending in TYPES)
                yield Objection(f"from.{at}", f"the ending of `{unknown}` tells no format", f"files of rows end in {known}")


def _forms(case: Case[DatasetSpec]) -> Iterator[Objection]:
    """Sources of one form, and the form that is asked for."""
    spec = case.spec
    if spec.map:
        return
    known = [(field.removesuffix(".node"), facts.format) for field, facts in knowing.upstream(case).items() if facts.format]
    wanted = knowing.BECOMES.get(spec.format, spec.format)
    for field, form in known:
        if spec.format != "auto" and form != wanted:
            yield Objection(field, f"it holds {form}, and `format` is {spec.format}", "leave `format` out, or `map` its columns")
        elif form != known[0][1]:
            yield Objection(
                field, f"it holds {form}, and another source {known[0][1]}", "a dataset has one form: make two of them"
            )


def _given(case: Case[DatasetSpec]) -> Iterator[Objection]:
    """The first row of each file has the columns of the format that is asked for."""
    spec = case.spec
    needed = next((columns for name, columns in knowing.COLUMNS if name == spec.format and not spec.max_bad), ())
    for at, each in enumerate(spec.source):
        headed = each.path is not None and type_of(each.path.path) in HEADED
        columns = knowing.first(case, each) if headed and needed else None
        lacks = [name for name in needed if columns is not None and name not in columns]
        if columns is not None and lacks:
            says = f"the first row of `{knowing.names(case, each)[0]}` has no `{lacks[0]}`, which {spec.format} has"
            form = knowing.form_by(columns)
            help_ = f"it looks like {form}: leave `format` out, or" if form else "rename its columns:"
            yield Objection(f"from.{at}", says, f"{help_} `map: {{{lacks[0]}: COLUMN}}`; it has {', '.join(sorted(columns))}")


def _columns(case: Case[DatasetSpec]) -> Iterator[Objection]:
    """Columns that the first row has not."""
    split = case.spec.split
    for each in case.spec.source:
        columns = knowing.first(case, each) if each.path is not None else None
        if columns is None or split is None:
            continue
        for field, names in (("split.stratify", split.stratify), ("split.group", split.group)):
            for name in names:
                if name not in columns:
                    says = f"the first row of `{knowing.names(case, each)[0]}` has no column `{name}`"
                    yield Objection(field, says, guess(name, sorted(columns), listed="it has"))


def _renamed(case: Case[DatasetSpec]) -> Iterator[Objection]:
    """Columns that are renamed and that no file has."""
    every = knowing.given(case)
    if every is None:
        return
    for name, change in case.spec.map.items():
        column = change.column or ""
        column = column if column in every else column.partition(".")[0]  # or a value within one
        if column and column not in every:
            says = f"no row of `{knowing.names(case, case.spec.source[0])[0]}` has a column `{column}`"
            yield Objection(f"map.{name}", says, guess(column, sorted(every), listed="it has"))


def _written(case: Case[DatasetSpec]) -> Iterator[Objection]:
    written = case.spec.written
    if written is None or written.keep is None:
        return
    judge = case.inputs.get("written.keep.judge")
    if judge is not None and not isinstance(judge, Model | Scorer):
        says = f"`{written.keep.judge.name}` gives {judge.says}; a judge is a scorer or a model"
        yield Objection("written.keep", says, f"`{written.keep.judge.name}.fused` is the model of an adapter")


def _served(case: Case[DatasetSpec]) -> Iterator[Objection]:
    """A chat is under one prompt, and something says which."""
    served, form = case.spec.served, None
    if served is None:
        return
    with contextlib.suppress(Wrong):  # what is wrong with a grammar is told above
        form = knowing.form(case)
    if form in _UNASKED:
        says = f"rows of {form} are no chats, and a prompt is put before chats"
        help_ = f"`served` takes {', '.join(_CHATS[:-1])} or {_CHATS[-1]}; the prompts of an exam stand in `evals`"
        yield Objection("served", says, help_)
    labels = [each.label for each in served.prompts]
    if len(labels) == 1 and not labels[0]:
        if served.by:
            yield Objection("served.by", "there is one prompt, and a column to choose it by", "leave `by` out")
        return
    if not all(labels) or len({*labels}) < len(labels):
        yield Objection("served.prompts", "two prompts have one label", "give each its own: `{label: prompt}`")
    elif not served.by:
        says = f"nothing says which chat is under which of {len(labels)} prompts"
        yield Objection("served", says, f"`by: COLUMN`, whose values are {', '.join(f'`{each}`' for each in labels)}")
    else:
        for where, columns in _known_columns(case):
            if served.by not in columns:
                says = f"{where} has no column `{served.by}`"
                yield Objection("served.by", says, guess(served.by, sorted(columns), listed="it has"))


def _known_columns(case: Case[DatasetSpec]) -> Iterator[tuple[str, set[str]]]:
    """The columns of each source that can be told: of files by their first row, of a grammar."""
    spec = case.spec
    for each in spec.source:
        columns = knowing.first(case, each) if each.path is not None else None
        if columns is not None:
            yield f"the first row of `{knowing.names(case, each)[0]}`", columns
    if spec.generate is not None:
        with contextlib.suppress(Wrong):
            grammar = knowing.grammar_of(case)
            every = {*spec.map, *grammar.columns, *(name for told in grammar.forms.values() for name in told["columns"])}
            yield f"`{spec.generate.grammar.path}`", every


# --- grammars ---


def _generated(case: Case[DatasetSpec], generate: Generate) -> Iterator[Objection]:
    path = generate.grammar.path
    try:
        grammar = knowing.grammar_of(case)
    except Wrong as wrong:
        where = f"{path}:{wrong.line}" if wrong.line else path
        yield Objection("generate.grammar", f"{where}: {wrong.says}", wrong.help)
        return
    slots = ["form", *grammar.slots]
    named = [("generate.balance", name) for name in generate.balance]
    named += [("generate.holdout.slots", name) for name in (generate.holdout.slots if generate.holdout else ())]
    missing = [(field, name) for field, name in named if name not in slots]
    for field, name in missing:
        yield Objection(field, f"`{path}` has no slot `{name}`", guess(name, slots, listed="it has"))
    if missing:
        return
    yield from _balances(grammar, generate)
    yield from _holdout(grammar, generate)
    yield from _copies(grammar, generate)
    yield from _room(grammar, generate)
    columns = {*case.spec.map, *grammar.columns, *(name for told in grammar.forms.values() for name in told["columns"])}
    split = case.spec.split
    for field, names in (("split.stratify", split.stratify), ("split.group", split.group)) if split else ():
        for name in names:
            if name not in columns:
                yield Objection(field, f"`{path}` writes no column `{name}`", guess(name, sorted(columns), listed="it writes"))


def _balances(grammar: Grammar, generate: Generate) -> Iterator[Objection]:
    for slot, shares in generate.balance.items():
        labels = grammar.labels(slot)
        unknown = next((name for name in shares if name not in labels), None)
        total, items = sum(shares.values()), any(each > 1 for each in shares.values())
        if unknown is not None:
            yield Objection(
                f"generate.balance.{slot}", f"`{unknown}` is no value of `{slot}`", guess(unknown, labels, listed="it has")
            )
        elif shares and items and total != generate.count:
            says = f"the items of `{slot}` sum to {total:,.0f}, and `count` is {generate.count:,}"
            yield Objection(f"generate.balance.{slot}", says, "make them equal, or write shares")
        elif shares and not items and abs(total - 1) > 1e-6:
            yield Objection(
                f"generate.balance.{slot}", f"the shares of `{slot}` sum to {total:.4g}, not to 1", "they sum to 100%"
            )


def _holdout(grammar: Grammar, generate: Generate) -> Iterator[Objection]:
    holdout = generate.holdout
    if holdout is None:
        if generate.side != "both":
            yield Objection(
                "generate.side", f"there is no {generate.side} side without `holdout`", "say which combinations are held out"
            )
        return
    sizes = [len(grammar.labels(slot)) for slot in holdout.slots]
    every = math.prod(sizes)
    unused = next(
        (slot for slot in holdout.slots if slot != "form" and not any(slot in grammar.used(form) for form in grammar.forms)), None
    )
    if unused is not None:
        yield Objection("generate.holdout.slots", f"no form draws the slot `{unused}`", "hold out slots that texts name")
    elif every > _ENUMERATED:
        yield Objection(
            "generate.holdout.slots", f"these slots have {every:,} combinations", f"name fewer: {_ENUMERATED:,} are the most"
        )
    elif holdout.combinations:
        yield from _combinations(grammar, generate)
    elif round(holdout.share * every) < 1 or min(sizes) * max(sizes) < 2 or every - round(holdout.share * every) < max(sizes):
        says = f"{holdout.share:.4g} of {every:,} combinations cannot be held out while each value stays in another one"
        yield Objection("generate.holdout", says, "give the slots more values, or take another share")


def _combinations(grammar: Grammar, generate: Generate) -> Iterator[Objection]:
    assert generate.holdout is not None
    for row in generate.holdout.combinations:
        if len(row) != len(generate.holdout.slots):
            yield Objection(
                "generate.holdout.combinations", f"{list(row)} has not a value for each of the slots", "write one a slot"
            )
            return
        for slot, name in zip(generate.holdout.slots, row, strict=True):
            if name not in grammar.labels(slot):
                hint = guess(name, grammar.labels(slot), listed="it has")
                yield Objection("generate.holdout.combinations", f"`{name}` is no value of `{slot}`", hint)


def _copies(grammar: Grammar, generate: Generate) -> Iterator[Objection]:
    if grammar.copies is None:
        if generate.copies:
            says = "the grammar does not say what a copy writes in other words"
            yield Objection("generate.copies", says, f"write `copies: {{each: {generate.copies}, vary: [SLOT]}}` in the grammar")
        return
    each = grammar.copies["each"] if generate.copies is None else generate.copies
    if generate.count % (1 + each):
        near = max(1 + each, generate.count // (1 + each) * (1 + each))
        says = f"an item and its {each} copies are {1 + each}, and `count` is {generate.count:,}"
        yield Objection("generate.count", says, f"`count: {near}` is a multiple")
    fixed = {*generate.balance, *(generate.holdout.slots if generate.holdout else ())}
    both = next((slot for slot in grammar.copies["vary"] if slot in fixed), None)
    if both is not None and each:
        says = f"`{both}` is drawn again for each copy, so it can be neither balanced nor held out"
        yield Objection("generate", says, "take it out of `copies.vary` of the grammar")


def _room(grammar: Grammar, generate: Generate) -> Iterator[Objection]:
    """More items than the slots have combinations cannot all be different."""
    shares = generate.balance.get("form") or {}
    total = sum(shares.values())
    for form in grammar.forms:
        want = generate.count * (shares.get(form, 0.0) / total if shares else 1 / len(grammar.forms))
        room = grammar.capacity(form)
        if math.floor(want) > room:
            says = f"the form `{form}` has {room:,} different items at most, and {math.floor(want):,} are asked for"
            yield Objection("generate.count", says, "give its slots more values, or lower `count`")
