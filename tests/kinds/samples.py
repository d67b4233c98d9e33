"""One sample a kind: a small project around one node of it, and a change for each of its fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from zyc import kinds
from zyc.compile.declare import measures_of
from zyc.fields import Requires, words
from zyc.source import parse

HOME = Path(__file__).parent / "samples"
STEMS = sorted(path.stem for path in HOME.glob("*.yml"))


@dataclass(frozen=True)
class Sample:
    """What a file of samples/ says."""

    kind: str
    node: str
    spec: str
    change: Mapping[str, str] = field(default_factory=dict)  # field -> what `--set` takes
    files: Mapping[str, str] = field(default_factory=dict)  # that the spec names, by path

    @property
    def declared(self) -> bool:
        """Whether people write it; else the compiler inserts it."""
        return "." not in self.node

    def changes(self) -> dict[str, str]:
        """Those of the file, and those of the fields that every kind has."""
        if not self.declared:
            return dict(self.change)
        told = {"about": "about=another note", "tags": "tags=[one, two]"}
        kind = kinds.load(self.kind)
        measure = next(iter(measures_of(kind)), "").replace("*", "some")
        if measure:
            told |= {"gates": f"gates=[{measure} < 0.12345]", "twin": f"twin=[{measure} < 0.12345]"}
        if "placement" in kind.Spec.model_fields:
            told |= {f"placement.{name}": f"placement.{name}={value}" for name, value in PLACED.items()}
        return {**{path: f"{self.node}.{text}" for path, text in told.items()}, **self.change}


PLACED = {"cpus": "2", "memory": "1 GB", "gpus": "1", "disk": "1 GB", "timeout": "2 h"}


def read(stem: str) -> Sample:
    """The sample of a kind."""
    path = HOME / f"{stem}.yml"
    root = parse(path.read_bytes(), path.name).root
    change = {str(name): str(text) for name, text in root.get("change", {}).items()}
    files = {str(path): str(text) for path, text in root.get("files", {}).items()}
    return Sample(stem, str(root["node"]), str(root["spec"]), change, files)


def put(sample: Sample, workshop: Any, path: str = "specs/sample.yml", prefix: str = "my-") -> None:
    """The sample as a project, its nodes under names that start with a prefix."""
    for name, text in sample.files.items():
        workshop.write(name, text)
    workshop.write(path, sample.spec.replace("my-", prefix))


def leaves(spec: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every field of a spec and of the groups in it; `*` stands for a name of the user's."""
    for name, told in words(spec).items():
        yield from _below(told.annotation, f"{path}{name}")


def _below(annotation: Any, path: str) -> Iterator[str]:
    groups = [each for each in _within(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]
    named = getattr(annotation, "__origin__", None) is dict
    if groups:
        yield from leaves(groups[0], f"{path}.*." if named else f"{path}.")
    else:
        yield f"{path}.*" if named else path


def _within(annotation: Any) -> Iterator[Any]:
    """A type and all that it is made of: what may be missing, many, named, or read in a way of its own."""
    yield annotation
    for each in get_args(annotation):
        yield from _within(each)


def waits(spec: type[BaseModel], path: str) -> bool:
    """Whether a field is an order edge."""
    origin = getattr(spec.model_fields[path].annotation, "__origin__", None) if path in spec.model_fields else None
    return isinstance(origin, type) and issubclass(origin, Requires)
