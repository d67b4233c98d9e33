"""What a profile and `--set` change, by node and by var."""

from __future__ import annotations

from dataclasses import replace

from zyc.compile.declared import Declared, Patches, Request, Trouble
from zyc.compile.outline import span_of
from zyc.errors import Problem, Span, ZycError, guess, problem
from zyc.fields import describe
from zyc.source import Map, Scalar, Value, parse, parse_value


def patches_of(request: Request, told: Declared) -> Patches:
    """What a call changes, held against what is declared."""
    patches = Patches()
    if request.profile is not None:
        file, text = request.profile
        document = parse(text, file)
        told.troubles += [Trouble(each, file) for each in document.problems]
        for section, values in (document.root or {}).items():
            if section in ("zyc", "about"):
                continue
            if not isinstance(values, Map):
                facts = {
                    "what": f"names below `{section}`",
                    "found": describe(values),
                    "help": "a profile holds nodes in their sections, and `vars`",
                }
                told.troubles.append(Trouble(problem("not-a-mapping", span_of(values, file), **facts)))
            elif section == "vars":
                patches.vars |= {str(name): (value, file) for name, value in values.items()}
                patches.names |= {str(name): span_of(name, file) for name in values}  # type: ignore[arg-type]
            else:
                _profile_section(patches, told, file, section, values)
    for override in request.sets:
        _set(patches, told, override)
    return patches


def _profile_section(patches: Patches, told: Declared, file: str, section: str, values: Map) -> None:
    for name, value in values.items():
        at = span_of(name, file)  # type: ignore[arg-type]
        declared = told.sections.get(name)
        if declared is None:
            told.troubles.append(Trouble(problem("profile-node", at, name=str(name), hint=guess(name, told.sections))))
        elif declared != section:
            told.troubles.append(Trouble(problem("profile-section", at, name=str(name), declared=declared, section=section)))
        else:
            patches.nodes.setdefault(str(name), []).append((value, file))


def _set(patches: Patches, told: Declared, text: str) -> None:
    path, equals, written = text.partition("=")
    name, dot, rest = path.partition(".")
    file = f"--set {text}"
    if not equals or not name or not dot or not rest or "" in rest.split("."):
        hint = "for example `--set philo-lora.train.epochs=1`"
        if "@" in name:
            hint = f"a family is set as a whole: `--set {name.partition('@')[0]}.FIELD=VALUE`"
        elif equals and not dot and name in told.sections:
            hint = f"name a field of it: `--set {name}.FIELD=VALUE`"
        told.troubles.append(Trouble(problem("bad-set", Span(file, 1, 1, max(1, len(text))), text=text, hint=hint)))
        return
    try:
        value = parse_value(written, file)
    except ZycError as error:
        told.troubles += [Trouble(_moved(each, len(path) + 1)) for each in error.problems]
        return
    _shift(value, len(path) + 1)
    if name == "vars":
        patches.vars[rest] = (value, file)
        patches.names[rest] = Span(file, 1, 6, len(rest))
    elif name not in told.sections:
        hint = guess(name, [*told.sections, "vars"])
        told.troubles.append(Trouble(problem("set-node", Span(file, 1, 1, len(name)), name=name, hint=hint)))
    else:
        begin = len(path)
        for part in reversed(rest.split(".")):
            begin -= len(part)
            outer = Map({Scalar.at(part, 1, begin + 1, len(part)): value})
            outer.line, outer.column, outer.width = 1, begin + 1, len(path) - begin
            value, begin = outer, begin - 1
        patches.nodes.setdefault(name, []).append((value, file))


def _moved(told: Problem, by: int) -> Problem:
    """A problem in the VALUE of `--set`, at its place in the whole of it."""
    spans = tuple(each._replace(column=each.column + by) if each.line == 1 else each for each in told.spans)
    return replace(told, spans=spans)


def _shift(value: Value, by: int) -> None:
    """Move a value to the right of the `=` that it stands behind."""
    waiting, seen = [value], set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        here.column += by if here.line == 1 else 0
        if isinstance(here, Map):
            waiting += [*here, *here.values()]
        elif not isinstance(here, Scalar):
            waiting += here
