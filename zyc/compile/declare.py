"""Every spec file of a project -> its declarations: each node's members with their shapes, and all that is wrong so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from zyc import kinds
from zyc.compile.expand import Places, Row, Scope, patched, placed, variable_of
from zyc.compile.matrix import Matrix, read_search
from zyc.compile.outline import Entry, Source, header_of, key_of, outline, plain_text, span_of
from zyc.compile.plain import keep_outline, keep_shape, kept_outline, kept_shape
from zyc.compile.validate import AnyKind, as_fields, owner_words, place_of, read_spec, shape_of
from zyc.errors import Problem, Span, ZycError, guess, problem
from zyc.fields import describe
from zyc.graph import Header, Search, Shape
from zyc.kept import Kept
from zyc.kind import Measure, Spec
from zyc.measures import matches
from zyc.source import Map, Scalar, Value, parse, parse_value

_SPACES = ("matrix", "search")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem and whose it is: a broken file outside what was asked for is only a warning."""

    problem: Problem
    file: str = ""
    node: str = ""


class Member(NamedTuple):
    """One node of a declaration: with a matrix, one of several."""

    row: Row
    shape: Shape
    load: Callable[[], Spec]
    digest: str = ""
    values: Mapping[str, str] = MappingProxyType({})
    unread: tuple[str, ...] = ()  # axes that no field took; a script may


@dataclass(slots=True)
class Declaration:
    """A node as declared, with everything that a profile, `--set` or a matrix makes of it."""

    name: str
    kind: AnyKind
    source: Source
    span: Span
    places: Places
    members: list[Member] = field(default_factory=list)
    search: Search | None = None
    broken: bool = False
    told: set[tuple[str, tuple[Span, ...]]] = field(default_factory=set)  # its problems so far, by code and place
    written: Callable[[], Value | None] = lambda: None

    def at(self, path: str) -> Span:
        """The place of a field."""
        value = self.written()
        return self.span if value is None else self.places.span(place_of(value, path))

    def at_key(self, path: str, name: str) -> Span:
        """The place of a key of the mapping at a path."""
        value = self.written()
        holder = place_of(value, path) if value is not None else None
        return self.places.span(key_of(holder, name)) if isinstance(holder, Map) and name in holder else self.at(path)


@dataclass(frozen=True, slots=True)
class Request:
    """What a call adds to the specs."""

    profile: tuple[str, bytes] | None = None  # file, text
    sets: tuple[str, ...] = ()
    searched: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)  # the rows that a search has chosen


@dataclass(slots=True)
class Patches:
    """What a profile and `--set` change, by node and by var."""

    nodes: dict[str, list[tuple[Value, str]]] = field(default_factory=dict)
    vars: dict[str, tuple[Value, str]] = field(default_factory=dict)
    names: dict[str, Span] = field(default_factory=dict)  # where the vars are named


@dataclass(slots=True)
class Declared:
    """All declarations of a project."""

    nodes: dict[str, Declaration] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    sections: dict[str, str] = field(default_factory=dict)


def declare(sources: Sequence[Source], request: Request, kept: Kept) -> Declared:
    """Read every file, then every node in it."""
    told = Declared()
    entries: Iterable[tuple[Source, Header, Entry, Span]] = _entries(sources, told, kept)
    if request.profile is not None or request.sets:
        entries = list(entries)  # what they change must be declared somewhere
    patches = _patches(request, told)
    values: dict[str, dict[str, str]] = {}
    for source, header, entry, at in entries:
        kind = kinds.of_section(entry.section)
        if kind is None or told.nodes.get(entry.name) is not None:
            continue
        node = Declaration(entry.name, kind, source, at, Places(source.file, at))
        told.nodes[entry.name] = node
        if source.file not in values:
            values[source.file] = _step_values(header, patches)
        if entry.plain and entry.name not in patches.nodes:
            _plain(node, entry, values[source.file], told, kept)
        else:
            _expanded(node, entry, values[source.file], patches, request, told)
    known = {name for header in told.headers.values() for name, _ in header.vars}
    for name in patches.vars.keys() - known:
        hint = guess(name, known, listed="there are the vars") or "no spec has `vars`"
        told.troubles.append(Trouble(problem("var-nowhere", patches.names[name], name=name, hint=hint)))
    return told


def _entries(sources: Sequence[Source], told: Declared, kept: Kept) -> Iterator[tuple[Source, Header, Entry, Span]]:
    first: dict[str, Span] = {}
    for source in sources:
        found = kept_outline(kept, source.file, source.digest)
        if found is None:
            found, problems = outline(source)
            told.troubles += [Trouble(each, source.file) for each in problems]
            if found is None:
                continue
            if not problems:
                keep_outline(kept, source.file, source.digest, found)
        told.headers[source.file] = header = header_of(source, found)
        for entry in found.entries:
            at = Span(source.file, entry.line, entry.column, len(entry.name))
            if entry.name in first:
                told.troubles.append(
                    Trouble(problem("duplicate-name", at, first[entry.name], name=entry.name), source.file, entry.name)
                )
            else:
                first[entry.name] = at
                told.sections[entry.name] = entry.section
                yield source, header, entry, at
        source.forget()


def _patches(request: Request, told: Declared) -> Patches:
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
    if not equals or not dot or not rest or "" in rest.split("."):
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


def _vars(source: Source, patches: Patches) -> tuple[dict[str, Value], dict[str, str]]:
    root = source.document.root
    written = root.get("vars") if root is not None else None
    own = dict(written) if isinstance(written, Map) else {}
    return {str(name): patches.vars[name][0] if name in patches.vars else value for name, value in own.items()}, {
        str(name): patches.vars[name][1] for name in own if name in patches.vars
    }


def _step_values(header: Header, patches: Patches) -> dict[str, str]:
    return {
        variable_of("vars", name): plain_text(patches.vars[name][0]) if name in patches.vars else text
        for name, text in header.vars
    }


_ONLY = Row()


class Later:
    """The spec of a node whose shape is known: read from its text when somebody asks for more."""

    __slots__ = ("_entry", "_node", "_spec")

    def __init__(self, node: Declaration, entry: Entry) -> None:
        self._node = node
        self._entry = entry
        self._spec: Spec | None = None

    def __call__(self) -> Spec:
        """The validated spec: it was valid when its shape was kept."""
        if self._spec is None:
            node, entry = self._node, self._entry
            fields = as_fields(node.kind, node.name, node.source.value(entry.section, entry.name), node.places)
            assert isinstance(fields, Map)
            self._spec, _ = read_spec(node.kind, node.name, fields, node.places)
            assert self._spec is not None
        return self._spec


def _plain(node: Declaration, entry: Entry, values: Mapping[str, str], told: Declared, kept: Kept) -> None:
    """A node that is what its text says: its shape may be known from an earlier call."""
    kind = node.kind
    node.written = lambda: node.source.value(entry.section, entry.name)

    shape = kept_shape(kept, kind.name, entry.digest)
    if shape is None:
        shape, spec = _read(node, node.source.value(entry.section, entry.name), told)
        if shape is None or spec is None:
            return
        keep_shape(kept, kind.name, entry.digest, shape)
        node.members.append(Member(_ONLY, shape, lambda: spec, entry.digest, values))
        return
    node.members.append(Member(_ONLY, shape, Later(node, entry), entry.digest, values))


def _read(node: Declaration, value: Value, told: Declared) -> tuple[Shape | None, Spec | None]:
    kind = node.kind
    fields = as_fields(kind, node.name, value, node.places)
    if isinstance(fields, Problem):
        problems, spec = [fields], None
    else:
        spec, problems = read_spec(kind, node.name, fields, node.places)
    shape = shape_of(kind, spec) if spec is not None else None
    if shape is not None and spec is not None and isinstance(fields, Map):
        problems += _unknown_measures(node, spec, fields)
    if problems:
        _tell(node, told, problems)
        return None, None
    return shape, spec


def measures_of(kind: AnyKind) -> dict[str, Measure]:
    """What a node of this kind can be gated on: its own measures and those of its proof."""
    return {**kind.measures, **(kinds.load(kind.proof).measures if kind.proof else {})}


def _unknown_measures(node: Declaration, spec: Spec, fields: Map) -> Iterator[Problem]:
    known = measures_of(node.kind)
    owner = owner_words(node.kind.name, node.name)
    for list_name in ("gates", "twin"):
        for at, gate in enumerate(getattr(spec, list_name)):
            for measure in filter(None, (gate.measure, gate.against)):
                if any(matches(measure, pattern) for pattern in known):
                    continue
                where = node.places.span(place_of(fields, f"{list_name}.{at}"))
                if known:
                    yield problem(
                        "unknown-measure", where, owner=owner, measure=measure, hint=guess(measure, known, listed="it measures")
                    )
                else:
                    yield problem("no-measures", where, owner=owner, gate=str(gate))


def _expanded(
    node: Declaration, entry: Entry, values: Mapping[str, str], patches: Patches, request: Request, told: Declared
) -> None:
    """A node that a profile, `--set`, vars or a matrix have a say in."""
    value = node.source.value(entry.section, entry.name)
    for patch, file in patches.nodes.get(entry.name, ()):
        fields = as_fields(node.kind, node.name, value, node.places)
        value = patched(value if isinstance(fields, Problem) else fields, patch, node.places, file)
    fields = as_fields(node.kind, node.name, value, node.places)
    if isinstance(fields, Problem):
        told.troubles.append(Trouble(fields, node.source.file, node.name))
        node.broken = True
        return
    node.written = lambda: fields
    variables, foreign = _vars(node.source, patches)
    for name, file in foreign.items():
        node.places.adopt(variables[name], file)
    rows = _rows(node, fields, variables, request, told)
    space = next((each for each in _SPACES if each in fields), "")
    verbatim = _verbatim(node.kind)
    body = placed(Map((key, each) for key, each in fields.items() if key not in _SPACES), fields)
    for row in rows:
        scope = Scope(variables, row.values, space, node.places)
        filled = placed(Map((key, each if key in verbatim else scope.fill(each)) for key, each in body.items()), body)
        _used(told, node.source.file, scope.used)
        if scope.problems:
            _tell(node, told, scope.problems)
            continue
        shape, spec = _read(node, filled, told)
        if shape is not None and spec is not None:
            axes = {variable_of("matrix", axis): plain_text(each) for axis, each in row.values.items()}
            unread = tuple(axis for axis in row.values if f"matrix.{axis}" not in scope.used)
            node.members.append(Member(row, shape, _constant(spec), "", {**values, **axes}, unread))


def _constant(spec: Spec) -> Callable[[], Spec]:
    return lambda: spec


def _tell(node: Declaration, told: Declared, problems: Iterable[Problem]) -> None:
    """Members share their text, and so their mistakes: a place is told once."""
    for each in problems:
        place = (each.code, each.spans)
        if place not in node.told:
            node.told.add(place)
            told.troubles.append(Trouble(each, node.source.file, node.name))
    node.broken = True


def _used(told: Declared, file: str, used: set[str]) -> None:
    header = told.headers[file]
    names = frozenset(each[5:] for each in used if each.startswith("vars."))
    if not names <= header.used:
        told.headers[file] = Header(header.file, header.about, header.use, header.vars, header.spans, header.used | names)


def _rows(node: Declaration, fields: Map, variables: Mapping[str, Value], request: Request, told: Declared) -> list[Row]:
    """The members that a matrix or search makes of the node; it may name vars, too."""
    problems: list[Problem] = []
    written = [(each, fields[each]) for each in _SPACES if each in fields]
    rows = [Row()]
    if len(written) > 1:
        problems.append(problem("matrix-and-search", node.places.span(key_of(fields, "search")), name=node.name))
    elif written:
        space, value = written[0]
        scope = Scope(variables, {}, "", node.places, problems=problems)
        filled = scope.fill(value)
        _used(told, node.source.file, scope.used)
        if not problems:
            read = _matrix_rows if space == "matrix" else _search_rows
            rows = read(node, filled, request, problems)
    if problems:
        _tell(node, told, problems)
    return [] if problems else rows


def _matrix_rows(node: Declaration, value: Value, _: Request, problems: list[Problem]) -> list[Row]:
    return Matrix(node.name, node.places, problems).rows(value)


def _search_rows(node: Declaration, value: Value, request: Request, problems: list[Problem]) -> list[Row]:
    from zyc.search import first  # the first members need no result

    def wrong(where: Value, reason: str, help_: str) -> None:
        problems.append(problem("bad-search", node.places.span(where), name=node.name, reason=reason, help=help_))

    node.search = search = read_search(node.name, value, wrong)
    if search is None:
        return []
    axes = [axis for axis, _ in search.over]
    chosen = request.searched.get(search.family) or first(search)
    return [
        Row(
            tuple(zip(axes, row, strict=True)),
            {axis: Scalar.at(label, value.line, value.column, value.width) for axis, label in zip(axes, row, strict=True)},
        )
        for row in chosen
    ]


@cache
def _verbatim(kind: Any) -> frozenset[str]:
    """Fields that hold code of the user's own, in which nothing is expanded."""
    return frozenset(
        name
        for name, told in kind.Spec.model_fields.items()
        if isinstance(told.json_schema_extra, dict) and told.json_schema_extra.get("verbatim")
    )
