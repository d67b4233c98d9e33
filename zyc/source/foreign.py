"""YAML of other tools -> values with places: merge keys are followed, and of two equal keys the last one counts."""

from __future__ import annotations

from dataclasses import dataclass

from zyc.errors import Problem, ZycError, problem
from zyc.source.reading import MOST_REPEATED, Reading, Stop
from zyc.source.values import Map, Scalar, Seq, Value, is_null, place

_MERGE = "<<"
_TRUE = frozenset(("true", "yes", "on"))
_FALSE = frozenset(("false", "no", "off"))


@dataclass(frozen=True, slots=True)
class Foreign:
    """A file of another tool: its mapping, the keys that a later one replaced, and what is there to be repeated."""

    file: str
    root: Map
    replaced: tuple[Scalar, ...] = ()
    repeated: frozenset[int] = frozenset()  # ids of the values that aliases bring elsewhere


def read_foreign(text: bytes, file: str) -> Foreign:
    """The values of a file that another tool reads as YAML 1.1; raises ZycError with all that is wrong with it."""
    reading = _ForeignReading(file)
    root = reading.read(text)
    if root is None and not reading.problems:
        root = Map()
    if root is not None and not isinstance(root, Map):
        found = "a list" if isinstance(root, Seq) else "text"
        told = problem("not-a-mapping", place(root, file), what="a mapping of settings", found=found, help="is it another file?")
        raise ZycError(told)
    if root is None:
        raise ZycError(reading.problems)
    problems: list[Problem] = []
    merged = _Merging(file, problems).merged(root)
    if problems:
        raise ZycError(problems)
    assert isinstance(merged, Map)
    return Foreign(file, merged, tuple(reading.replaced), frozenset(reading.repeated_ids))


def flag_of(value: Value) -> bool | None:
    """What YAML 1.1 reads as true or false (`yes`, `off`); None for what is neither."""
    if not isinstance(value, Scalar) or not value.plain:
        return None
    word = value.lower()
    return True if word in _TRUE else False if word in _FALSE else None


class _ForeignReading(Reading):
    """A reading that lets pass what other tools use and specs have no need of."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.replaced: list[Scalar] = []
        self.repeated_ids: set[int] = set()

    def check_key(self, value: Value) -> Scalar:
        if isinstance(value, Scalar):
            return value
        return super().check_key(value)

    def put(self, value: Value) -> None:
        key, holder = self.key, self.holder
        if isinstance(holder, Map) and key is not None and key in holder:
            first = next(each for each in holder if each == key)
            assert isinstance(first, Scalar)
            self.replaced.append(first)
            del holder[first]
        super().put(value)

    def alias(self, event: object) -> None:
        super().alias(event)
        value = self.holder[-1] if isinstance(self.holder, list) and self.holder else None
        if isinstance(self.holder, Map) and self.holder:
            value = next(reversed(self.holder.values()))
        if value is not None:
            self.repeated_ids.add(id(value))


class _Merging:
    """Merge keys become the fields that they bring; what a mapping says itself counts more."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.brought = 0
        self.done: dict[int, Value] = {}

    def merged(self, value: Value) -> Value:
        if isinstance(value, Scalar):
            return value
        if id(value) in self.done:
            return self.done[id(value)]
        self.done[id(value)] = value
        if isinstance(value, Seq):
            value[:] = [self.merged(each) for each in value]
            return value
        for key, inner in list(value.items()):
            value[key] = self.merged(inner)
        merge = next((key for key in value if key == _MERGE and isinstance(key, Scalar) and key.plain), None)
        if merge is not None:
            self.bring(value, merge)
        return value

    def bring(self, value: Map, merge: Scalar) -> None:
        source = value.pop(merge)
        for each in source if isinstance(source, Seq) else [source]:
            if not isinstance(each, Map):
                if not is_null(each):
                    told = place(each, self.file)
                    self.problems.append(
                        problem("not-a-mapping", told, what="a mapping after `<<`", found="text", help="write `<<: *NAME`")
                    )
                continue
            self.brought += len(each)
            if self.brought > MOST_REPEATED:
                raise ZycError(problem("too-many-repeats", place(merge, self.file), limit=f"{MOST_REPEATED:,}"))
            for key, inner in each.items():
                value.setdefault(key, inner)


__all__ = ["Foreign", "Stop", "flag_of", "read_foreign"]
