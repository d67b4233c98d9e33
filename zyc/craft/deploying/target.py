"""What a target of deployments is asked: one subclass and one module a target, with the group of fields that only it reads."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zyc.kind import Case, Estimate, Need, Objection
from zyc.types import Adapter, Artifact, Gguf

if TYPE_CHECKING:
    from zyc.craft.deploying.spec import DeploymentSpec


@dataclass(frozen=True, slots=True)
class Carried:
    """What of a target's own a bundle takes along."""

    parts: Mapping[str, str]
    modules: tuple[str, ...]
    packages: tuple[str, ...]

    def without(self, *names: str) -> Carried:
        """Less these modules and packages."""
        kept = (tuple(each for each in told if each not in names) for told in (self.modules, self.packages))
        return Carried(self.parts, *kept)


class Target(ABC):
    """One place that a model is deployed to. Every question is a pure function of a case."""

    name: ClassVar[str]  # as a spec says it: `hf-space`
    says: ClassVar[str]  # in a sentence: `a server`
    wants: ClassVar[type[Artifact]] = Gguf  # what it serves: the compiler inserts what lies between
    takes: ClassVar[tuple[type[Artifact], ...]] = (Gguf,)  # of `wants`, what it can do something with
    prompted: ClassVar[bool] = True  # whether it serves personas
    indexed: ClassVar[bool] = False  # whether it has a use for an index of its own
    parts: ClassVar[Mapping[str, str]] = {}  # folders of templates/deployment/parts, and where each stands in the bundle
    modules: ClassVar[tuple[str, ...]] = ()  # of templates/shared and templates/lib, put beside the parts: `import asked`
    packages: ClassVar[tuple[str, ...]] = ()  # what runs the bundle, for its requirements.txt: `uvicorn`, `httpx[http2]`
    older: ClassVar[Mapping[str, str]] = {}  # of these, the versions for Python 3.10, where the pinned ones want a later Python
    scripts: ClassVar[frozenset[str]] = frozenset()  # of templates/deployment/lib, that only some targets need
    finishes: ClassVar[tuple[str, ...]] = ()  # those of them whose `finish(out, bundle)` is called when all else is packed
    starts: ClassVar[str] = ""  # the module that starts it here: `gateway`; empty where nothing does

    def needs(self, spec: DeploymentSpec) -> Iterable[Need]:
        """Files of the user's that its group names."""
        return ()

    def check(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """What makes this impossible; groups of other targets and types that it does not take are refused already."""
        return ()

    def notes(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """What is better known before."""
        return ()

    def estimate(self, case: Case[DeploymentSpec]) -> Estimate:
        """What packing takes beyond the files of the model."""
        return Estimate()

    def settings(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """What `bundle.json` has as `settings`: the target's own group, defaults filled in."""
        group = getattr(case.spec, self.field, None)
        return group.model_dump(mode="json") if group is not None else {}

    def carries(self, case: Case[DeploymentSpec]) -> Carried:
        """Of the parts, modules and packages those that this bundle uses."""
        return Carried(self.parts, self.modules, self.packages)

    def runs(self, case: Case[DeploymentSpec]) -> Mapping[str, str] | None:
        """The packages of requirements.txt with their versions, where they are not the pinned ones."""
        return None

    def more(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """What `bundle.json` has besides."""
        return {}

    def front(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """What stands in front of README.md in place of a model's metadata: that of a Space."""
        return {}

    def files(self, case: Case[DeploymentSpec]) -> Mapping[str, str]:
        """Files of the bundle that are written as they are, by their path in it."""
        return {}

    @property
    def field(self) -> str:
        """What Python calls its group: `hf_space` for `hf-space`."""
        return self.name.replace("-", "_")

    def unfit(self, model: Artifact) -> Objection | None:
        """Why this cannot be deployed here."""
        if isinstance(model, self.takes):
            return None
        if isinstance(model, Adapter):
            help_ = "name the model that it is fused into: the same name with `.fused`"
            return Objection("model", "an adapter does not answer by itself", help_)
        every = " or ".join(each.says for each in self.takes)
        return Objection("model", f"{self.says} takes no {model.says.removeprefix('a ').removeprefix('an ')}", f"name {every}")
