"""Every spec file of a project -> its declarations: each node's members with their shapes, and all that is wrong so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from zyc import kinds
from zyc.compile.declared import Declaration, Declared, Member, Patches, Request, Trouble
from zyc.compile.expand import Places, Row, Scope, patched, placed, variable_of
from zyc.compile.matrix import Matrix, read_search
from zyc.compile.outline import Entry, Source, header_of, key_of, outline, plain_text
from zyc.compile.overrides import patches_of
from zyc.compile.plain import keep_outline, keep_shape, kept_outline, kept_shape
from zyc.compile.validate import AnyKind, as_fields, owner_words, place_of, read_spec, shape_of
from zyc.errors import Problem, Span, guess, problem
from zyc.gates import odd_bound
from zyc.graph import Header, Shape
from zyc.kept import Kept
from zyc.kind import Measure, Spec
from zyc.measures import matches
from zyc.source import Map, Scalar, Value

_SPACES = ("matrix", "search")


def declare(sources: Sequence[Source], request: Request, kept: Kept) -> Declared:
    """Read every file, then every node in it."""
    told = Declared()
    entries: Iterable[tuple[Source, Header, Entry, Span]] = _entries(sources, told, kept)
    if request.profile is not None or request.sets:
        entries = list(entries)  # what they change must be declared somewhere
    patches = patches_of(request, told)
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
        problems += _odd_gates(node, spec, fields)
    if problems:
        _tell(node, told, problems)
        return None, None
    return shape, spec


def measures_of(kind: AnyKind) -> dict[str, Measure]:
    """What a node of this kind can be gated on: its own measures and those of its proof."""
    return {**kind.measures, **(kinds.load(kind.proof).measures if kind.proof else {})}


def _odd_gates(node: Declaration, spec: Spec, fields: Map) -> Iterator[Problem]:
    """Gates on what nobody measures, and those whose bound is in another unit than what is measured."""
    proof = kinds.load(node.kind.proof).measures if node.kind.proof else {}
    known = {**node.kind.measured(spec), **proof}
    owner = owner_words(node.kind.name, node.name)
    for list_name in ("gates", "twin"):
        for at, gate in enumerate(getattr(spec, list_name)):
            told = next((each for pattern, each in known.items() if pattern != "*" and matches(gate.measure, pattern)), None)
            what, hint = odd_bound(gate, told.dimension) if told is not None else ("", "")
            if what:
                where = node.places.span(place_of(fields, f"{list_name}.{at}"))
                yield problem("odd-bound", where, owner=owner, measure=gate.measure, what=what, gate=str(gate), hint=hint)
            for measure in filter(None, (gate.measure, gate.against)):
                if any(matches(measure, pattern) for pattern in known):
                    continue
                later = (name for each in kinds.behind(node.kind.yields(spec)) for name in kinds.proves(each))
                if any(matches(measure, pattern) for pattern in later):
                    continue  # for the linker, which knows what is put behind it
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
        scope = Scope(variables, {}, "", node.places, secrets=False, problems=problems)
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
