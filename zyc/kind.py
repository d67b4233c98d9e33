"""The contract for kinds: what a kind declares, what it is asked, and the values it answers with.

A kind is one module in `zyc/kinds/` with one subclass of `Kind`, and one folder in `templates/`. Every question is a pure
function of a `Case`: a kind never reads a disk, a clock or another node.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from zyc import fields
from zyc.gates import Gate, Interval
from zyc.measures import known
from zyc.types import Artifact

NOTES = ("about", "tags")  # for people: in no file, in no key
GATES = ("gates", "twin")  # bounds: applied to kept numbers
PLACEMENT = ("placement",)  # where and how fast: in placement/, never in the key
LINEAGE = "lineage.json"  # the file of a recipe that tells of all that a node stands on


class Fields(BaseModel):
    """A group of fields of a spec: frozen, and a field that it does not have is refused."""

    # built when the first one is read: a call that changes nothing reads none
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True)


class Spec(Fields):
    """The fields that every node has; where a field stands tells its class (see NOTES, GATES, PLACEMENT; else recipe)."""

    about: fields.Text = ""
    """What this node is for, in your words."""
    tags: Annotated[tuple[fields.Name, ...], BeforeValidator(fields.read_list)] = ()
    """Words to select nodes by: `zyc plan tag:nightly`."""
    gates: fields.Gates = ()
    """Bounds on what this node measures; a node whose gate fails blocks what stands on it."""
    twin: fields.Gates = ()
    """Bounds that replace `gates` when the graph is rehearsed as a twin."""


class Placement(Fields):
    """Where and how fast a node runs: never part of its key."""

    cpus: fields.Integer = Field(1, ge=1, le=4096)
    """Processor cores that the node may use."""
    memory: fields.Bytes | None = None
    """Memory that the node needs, such as `8 GB`; estimated when not given."""
    gpus: fields.Integer = Field(0, ge=0, le=1024)
    """Accelerators that the node needs."""
    disk: fields.Bytes | None = None
    """Disk space that the result needs, such as `20 GB`; estimated when not given."""
    timeout: fields.Seconds | None = None
    """The node fails when it takes longer, such as `2 h`; it is asked to keep its state first."""


S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class Found:
    """What gather found of the user's at a path: its digest, and each file of a folder or glob."""

    path: str
    digest: str
    bytes: int
    files: tuple[tuple[str, str], ...] = ()  # (path from the project's root, digest), for folders and globs
    text: str | None = None
    data: object = None  # what its YAML holds: mappings, lists and scalars that keep their text
    lines: int | None = None  # that are not empty, of all files
    head: str = ""  # how the first file begins


@dataclass(frozen=True, slots=True)
class FileNeed:
    """A file, folder or glob to be found before anything is decided; the rest asks for more than its digest."""

    path: str
    field: str
    text: bool = False  # its content, which is then for the recipe to hold: it stands in no `in/`
    data: bool = False  # what is in it, as YAML; together with `text`
    lines: bool = False  # how many lines it has
    head: bool = False  # how it begins
    optional: bool = False  # one that is not there is no problem


@dataclass(frozen=True, slots=True)
class EnvironmentNeed:
    """A variable to pass to the step: its name is keyed, its value's digest too unless it is a secret."""

    name: str
    field: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class PinNeed:
    """A thing that can move, pinned in zyc.lock: `tool:pandoc`, `package:numpy`."""

    name: str
    field: str


@dataclass(frozen=True, slots=True)
class HubNeed:
    """A repository of a hub: its revision is pinned to a commit, which is keyed; small files may be read before it is fetched."""

    repository: str  # ORG/NAME
    field: str
    revision: str = "main"
    texts: tuple[str, ...] = ()  # files whose text is read where it is in the user's own cache
    wants: tuple[str, ...] = ()  # what the step takes: names and globs
    token: str = ""  # the variable that holds one, for what is gated
    type: str = "model"  # or `dataset`

    @property
    def name(self) -> str:
        """What its pin is called: `hub:mistralai/Mistral-7B-v0.1@main`, `hub:datasets/wikitext@v1`."""
        return f"hub:{'' if self.type == 'model' else f'{self.type}s/'}{self.repository}@{self.revision}"


Need = FileNeed | EnvironmentNeed | PinNeed | HubNeed


@dataclass(frozen=True, slots=True)
class Hub:
    """What this machine knows of a repository: its commit if any, and what the user's own cache holds of that."""

    commit: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)  # name -> bytes


class Ancestor(NamedTuple):
    """A node that something stands on, told without its name or place: the same wherever the project lies."""

    id: str  # of all that decides what it is: equal for equal nodes on equal inputs
    kind: str
    settings: str  # JSON of the fields that were written and decide the result, without references
    facts: tuple[tuple[str, object], ...]  # that are known of it, see zyc.types: `name`, `licence`, `rows`, ...
    sources: tuple[tuple[str, str], ...] = ()  # repositories with their commit, files of the user's with their digest
    inputs: tuple[tuple[str, str], ...] = ()  # field -> the id of what it takes


@dataclass(frozen=True, slots=True)
class Case(Generic[S]):
    """All that a kind may look at when it answers for one node."""

    spec: S
    inputs: Mapping[str, Artifact] = field(default_factory=dict)  # by the path of the field, such as `base`, `inputs.exam`
    files: Mapping[str, Found] = field(default_factory=dict)  # by path
    pins: Mapping[str, str] = field(default_factory=dict)
    hubs: Mapping[str, Hub] = field(default_factory=dict)  # by the name of the pin
    values: Mapping[str, str] = field(default_factory=dict)  # ZYC_VARS_EPOCHS -> "3": vars and matrix values in reach
    twin: bool = False
    lineage: tuple[Ancestor, ...] = ()  # all that it stands on, inputs first; for kinds that ask for it
    stands: tuple[tuple[str, str], ...] = ()  # which of these each field takes: (field, id); for the same kinds

    def every(self, path: str) -> tuple[tuple[str, Artifact], ...]:
        """All that a list takes, families opened: where each stands below the list's own place in `in/`, and its facts."""
        told: list[tuple[str, Artifact]] = []
        for field_, facts in self.inputs.items():
            if field_ == path or field_.startswith(f"{path}."):
                label = field_.removeprefix(path).removeprefix(".").replace(".", "/")
                members = facts.members if isinstance(facts, Group) else (("", facts),)
                told += [("/".join(part for part in (label, member) if part), each) for member, each in members]
        return tuple(told)


@dataclass(frozen=True, slots=True)
class Group(Artifact):
    """The members of a family where a list takes them all, by their coordinates."""

    says: ClassVar[str] = "a family"
    members: tuple[tuple[str, Artifact], ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """A template of the user's own, which a step fills: its path, its text, and the names that it may read."""

    path: str
    text: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a node is made by: values for the templates of its kind, and files that are written as they are."""

    values: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = (
        frozenset()
    )  # scripts and plain modules that this node has no use for: they are no part of its recipe
    # folders and files of parts/ that this node hands on as they are, and where each stands below recipe/bundle/
    parts: Mapping[str, str] = field(default_factory=dict)
    filled: Mapping[str, Filled] = field(default_factory=dict)  # by path below recipe/files/, held to the rules of Jinja


class Work(NamedTuple):
    """What a node asks of the processor or accelerator that it runs on: from this a plan says how long on each device."""

    flops: float
    use: str = "lora"  # what decides the share of the peak that is reached: lora, qlora, full, pretrain, generate
    precision: str = "bf16"
    moved: float = 0.0  # bytes through the device's memory
    besides: float = 0.0  # seconds that no device makes shorter: engines that start, weights that are read
    host: int = 0  # bytes of the machine's own memory, beside an accelerator's
    processes: int = 1  # accelerators that share the work
    says: str = ""  # what it is, in a few words: `101 steps, about 1 M tokens`
    least: float = 0.0  # seconds that any accelerator takes, however fast: what is small waits for its own start


class Estimate(NamedTuple):
    """What a node is expected to take and give; None is not known.

    With `work`, the plan tells the seconds; `memory` is then what a machine without accelerators needs for it.
    """

    seconds: Interval | None = None
    memory: int | None = None
    gpu_memory: int | None = None
    disk: int | None = None
    download: int = 0
    result: str = ""  # what comes out, in a few words: `1,200 rows`
    measures: tuple[tuple[str, Interval], ...] = ()  # what arithmetic knows of the measures, for gates
    work: Work | None = None  # what a device makes quicker
    wide: int | None = None  # `memory` on a processor that has no 16 bits of its own, where that is another
    scratch: int = 0  # bytes of disk beside the result while it works: checkpoints


class Change(NamedTuple):
    """Another value of one field, as `--set` takes it."""

    field: str  # below the node: `type`, `tasks.speed.new_tokens`
    value: str


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a node cannot be, said at plan time: the field that is at fault, the sentence, the next step."""

    field: str
    says: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that a kind measures; `*` in its name stands for one or more parts."""

    about: str
    dimension: str = "number"


class Kind(Generic[S]):
    """One kind of node. Everything below `Spec` may be overridden; what is not asked of a kind has a sound default."""

    name: ClassVar[str]
    section: ClassVar[str | None] = None  # the word in a spec file; None for nodes that only the compiler inserts
    revision: ClassVar[int] = 1  # part of the key: raise it when the same recipe files come to mean something else
    Spec: type[S]
    gives: ClassVar[type[Artifact]] = Artifact
    measures: ClassVar[Mapping[str, Measure]] = {}
    only_real: ClassVar[tuple[str, ...]] = ()  # measures of size and quality, whose bounds mean nothing at toy size
    harness: ClassVar[tuple[str, ...]] = ()  # modules of templates/lib that its scripts import; not keyed
    shares: ClassVar[tuple[str, ...]] = ()  # modules of templates/shared, copied into the recipes of several kinds; keyed
    bundles: ClassVar[tuple[str, ...]] = ()  # modules of templates/shared and templates/lib that are among its parts: `lib/NAME`
    coerces: ClassVar[tuple[type[Artifact], type[Artifact]] | None] = None  # (from, to): inserted where `to` is wanted
    suffix: ClassVar[str] = ""  # what the inserted node is called: `.fused`
    # of a coercion: its fields that get what its source takes, in the first of these fields that the source has
    follows: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    proof: ClassVar[str] = ""  # the kind that measures whether this one kept its promise
    # of a proof: its fields that get the nearest node of a type, upstream of a field of what is proven: (field, type)
    seeks: ClassVar[Mapping[str, tuple[str, type[Artifact]]]] = {}
    links: ClassVar[bool] = False  # its files may be hard links into a cache whose files are never written again
    lineage: ClassVar[bool] = False  # whether its cases tell all that it stands on
    # lists of nodes of each of which it makes parts: a family in one stands for its members, one after the other
    spreads: ClassVar[tuple[str, ...]] = ()
    quiet: ClassVar[bool] = False  # too small to be listed in a plan

    def shorthand(self, value: str) -> Mapping[str, Any] | None:
        """The fields that a plain text in place of a mapping stands for, if any."""
        return None

    def yields(self, spec: S) -> type[Artifact]:
        """The type of what comes out, from the spec alone."""
        return self.gives

    def accepts(self, spec: S) -> Mapping[str, type[Artifact]]:
        """The types that fields take where the spec decides them, by field; the others take what they are declared with."""
        return {}

    def measured(self, spec: S) -> Mapping[str, Measure]:
        """What this very node measures, for kinds whose spec decides it: patterns that stand for some of `measures`."""
        return self.measures

    def needs(self, spec: S) -> Iterable[Need]:
        """What must be read for this node besides the files that its fields name."""
        return ()

    def parts(self, spec: S) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Nodes that this one is made of: suffix -> (kind, fields); they become its inputs `parts.SUFFIX`.

        A reference among the fields is handed on as it is (`spec.model`, never its name): it may be a `select`.
        """
        return {}

    def proves(self, spec: S) -> Mapping[str, Any] | None:
        """The fields of this node's proof besides `subject`, as for `parts`; None when there is nothing to prove."""
        return {}

    def bounds(self, spec: S, *, twin: bool = False) -> tuple[Gate, ...]:
        """The gates that hold unless the spec says otherwise; a twin may be held to others."""
        return ()

    def rehearsed(self, spec: S) -> tuple[Gate, ...]:
        """What a twin is held to where the spec has no `twin:` list: its gates on what is the same at any size.

        A gate on `untrained.PART.` asks of that part of this node that it be better than what the model was before it
        learned anything: the twin has a node for that, too, and another input `parts.untrained-PART`.
        """
        mine = [gate for gate in spec.gates if known(gate.measure, self.measures)]  # those of its proof have bounds for twins
        return tuple(each for each in mine if not any(known(name, self.only_real) for name in (each.measure, each.against)))

    def foreseen(self, case: Case[S]) -> tuple[Gate, ...]:
        """Bounds that only facts decide, such as the size of a model; those of the spec and of `bounds` come before them."""
        return ()

    def twin(self, spec: S) -> S:
        """The same node at toy size."""
        return spec

    def decided(self, case: Case[S]) -> S:
        """The spec with what its facts decide written out: a twin keeps what was decided at the real size."""
        return case.spec

    def facts(self, case: Case[S]) -> Artifact:
        """What is known of the result before it exists."""
        return self.yields(case.spec)()

    def check(self, case: Case[S]) -> Iterable[Objection]:
        """What makes this node impossible, told before the first byte is spent."""
        return ()

    def notes(self, case: Case[S]) -> Iterable[Objection]:
        """What is allowed and better known before it is run: told as warnings, and nothing fails for it."""
        return ()

    def estimate(self, case: Case[S]) -> Estimate:
        """What the node will take; measured numbers of earlier runs come before this."""
        return Estimate()

    def lighter(self, case: Case[S]) -> Iterable[tuple[str, S]]:
        """Variants of the node that need less memory, the least change first, each with its words: `micro_batch: 4`."""
        return ()

    def changes(self, case: Case[S], missed: Collection[str] = ()) -> Iterable[Change]:
        """Values of its fields that ask less of whoever runs what comes out, the least first: `zyc fit` tries them.

        `missed` are the measures whose bounds do not hold; a model that drifted too far needs more, and not less.
        """
        return ()

    def recipe(self, case: Case[S]) -> Recipe:
        """The values and files that decide the result."""
        return Recipe(values={"spec": case.spec, "inputs": case.inputs})

    def arrangement(self, case: Case[S]) -> Recipe:
        """The values and files that say where and how fast, for the templates of placement/; settings.json is there anyway."""
        return Recipe()

    def place(self, path: str) -> str:
        """Where the input of a field stands below `in/`."""
        return path.replace(".", "/")

    def resumes(self, spec: S) -> bool:
        """Whether a step that was cut short goes on from `state/`."""
        return False

    def carries(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        """Why a state written under the old placement cannot go on under the new one; empty when it can."""
        return ""
