"""The kind `deployment`: a model, its personas and what runs them as one folder, ready for where it goes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from zyc.craft import deploying, evaluating
from zyc.craft.deploying.spec import DeploymentSpec
from zyc.gates import Interval
from zyc.kind import LINEAGE, Case, Estimate, FileNeed, Filled, Kind, Measure, Need, Objection, PinNeed, Recipe
from zyc.quantity import in_bytes
from zyc.types import Artifact, Bundle

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PLACE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.+-]*)*")
OURS = ("bundle.json", "README.md", "bom.json", "models.json", "requirements.txt", "model", "prompts", "index")
FACTS = frozenset({"bundle", "card", "entry", "model", "prompts"})  # what a template of the user's may read
OTHERS = 600_000_000  # bytes that reading and writing may hold


class Deployment(Kind[DeploymentSpec]):
    """Packs a bundle: the model's files, its personas, what serves them, a model card, a bill of materials, a registry entry.

    A bundle is whole and pinned: it runs where it is copied to. Its proof starts it as a person would, and holds what it
    answers against what the model answers directly.
    """

    name = "deployment"
    section = "deployments"
    Spec = DeploymentSpec
    gives = Bundle
    links = True
    lineage = True
    measures = {
        "bytes": Measure("size of the bundle", "bytes"),
        "files": Measure("files in it", "count"),
    }
    harness = ("telling.py",)
    bundles = tuple(sorted({each for target in deploying.TARGETS.values() for each in target.modules}))
    proof = "service"

    def accepts(self, spec: DeploymentSpec) -> Mapping[str, type[Artifact]]:
        """What the target serves."""
        return {"model": deploying.of(spec.target).wants}

    def proves(self, spec: DeploymentSpec) -> Mapping[str, Any]:
        """Against the model itself, under the same personas."""
        told = {"model": spec.model, "target": spec.target, "context": spec.context}
        return {**told, "prompts": spec.prompts} if spec.prompts else told

    def needs(self, spec: DeploymentSpec) -> Iterable[Need]:
        """The user's templates are part of the recipe; what runs the bundle is pinned."""
        for dest, each in spec.files.items():
            yield FileNeed(each.path, f"files.{dest}", text=True)
        yield from deploying.of(spec.target).needs(spec)
        # the package that llama.cpp comes from, whoever builds it
        names = ("llama-cpp-python", *deploying.of(spec.target).packages)
        yield from (PinNeed(each, "target") for each in dict.fromkeys(map(_package, names)))

    def facts(self, case: Case[DeploymentSpec]) -> Bundle:
        """Where it goes, and what the model's files take."""
        model = case.inputs["model"]
        return Bundle(case.spec.target, evaluating.weights(model), getattr(model, "licence", None))

    def check(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """A type that the target serves, its own group only, personas with names, files that stay inside."""
        target = deploying.of(case.spec.target)
        told = [*_about_the_model(case), *_about_groups(case), *_about_prompts(case), *_about_files(case)]
        return told or target.check(case)

    def notes(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """What the target knows better."""
        return deploying.of(case.spec.target).notes(case)

    def estimate(self, case: Case[DeploymentSpec]) -> Estimate:
        """Files are linked, or copied where the disk cannot link, and read once for their digests."""
        size = evaluating.weights(case.inputs["model"])
        if size is None:
            return Estimate(memory=OTHERS)
        told = Interval(size, size * 1.05 + 20_000_000, "the model's files, and what runs them")
        return Estimate(
            Interval(1 + size / 2e9, 6 + size / 2e8, "every file read once"),
            memory=OTHERS,
            disk=int(told.high),
            result=in_bytes(size),
            measures=(("bytes", told),),
        )

    def recipe(self, case: Case[DeploymentSpec]) -> Recipe:
        """What stands in the bundle as it is, and what the packing is told."""
        spec, target = case.spec, deploying.of(case.spec.target)
        name = _name(case)
        carried = target.carries(case)
        modules = {f"lib/{each}": "" for each in carried.modules}
        bundle: dict[str, Any] = {
            "target": target.name,
            "engine": deploying.engine(case.inputs["model"]),
            "llama_cpp": case.pins.get("package:llama-cpp-python"),
            "name": name,
            "context": spec.context,
            "settings": dict(target.settings(case)),
            **target.more(case),
        }
        licence = getattr(case.inputs["model"], "licence", None) or ""
        values = {
            "bundle": bundle,
            "labels": [each.label or name for each in spec.prompts],
            "registry": {**spec.registry.model_dump(mode="json"), "id": name, "name": _title(case)},
            "packages": dict(_runs(case)),
            "older": dict(target.older),
            "about": {"title": _title(case), "licence": licence, "on": spec.on or "", "rehearsal": case.twin},
            "front": dict(target.front(case)),
            "indexed": "index" in case.inputs,
            "results": [path for path, _ in case.every("results")],
            "model": dict(case.stands).get("model", ""),
            "finishing": [each.removesuffix(".py") for each in target.finishes],
        }
        files = {f"bundle/{path}": text for path, text in target.files(case).items()}
        files[LINEAGE] = json.dumps([each._asdict() for each in case.lineage], indent=1, ensure_ascii=False) + "\n"
        filled = {dest: Filled(each.path, case.files[each.path].text or "", FACTS) for dest, each in spec.files.items()}
        return Recipe(values, files, deploying.others(target.name), {**carried.parts, **modules}, filled)

    def place(self, path: str) -> str:
        """`prompts.0.node` stands at `in/prompts/0`."""
        return path.removesuffix(".node").replace(".", "/")


def _package(name: str) -> str:
    """The pin of a package: `httpx[http2]` is one of httpx."""
    return f"package:{name.partition('[')[0]}"


def _runs(case: Case[DeploymentSpec]) -> Mapping[str, str]:
    """What runs the bundle: its packages, each with its version."""
    target = deploying.of(case.spec.target)
    told = target.runs(case)
    return told if told is not None else {name: case.pins.get(_package(name), "") for name in target.carries(case).packages}


def _name(case: Case[DeploymentSpec]) -> str:
    """What the model is called where it is served: as the registry has it, or as its makers call it."""
    shape = evaluating.shape_of(case.inputs["model"])
    public = re.sub(r"[^a-z0-9._-]+", "-", (shape.name or "").rpartition("/")[2].lower()).strip("-")
    return case.spec.registry.id or public or "model"


def _title(case: Case[DeploymentSpec]) -> str:
    """What people call it."""
    return case.spec.registry.name or evaluating.shape_of(case.inputs["model"]).name or _name(case)


def _about_the_model(case: Case[DeploymentSpec]) -> Iterable[Objection]:
    target = deploying.of(case.spec.target)
    unfit = target.unfit(case.inputs["model"])
    if unfit is not None:
        yield unfit
    if case.spec.index is not None and not target.indexed:
        yield Objection("index", f"{target.says} looks nothing up by itself", "give it to a prompt: `retrieval: INDEX`")
    if case.spec.registry.id and LABEL.fullmatch(case.spec.registry.id) is None:
        says = f"`{case.spec.registry.id}` would be no word in a request"
        yield Objection("registry.id", says, "letters, digits, `.`, `_` and `-`")


def _about_groups(case: Case[DeploymentSpec]) -> Iterable[Objection]:
    spec = case.spec
    for name, target in deploying.TARGETS.items():
        if target.field in spec.model_fields_set and name != spec.target:
            yield Objection(name, f"`{name}` is a group of another target, and this one is `{spec.target}`", "leave it out")


def _about_prompts(case: Case[DeploymentSpec]) -> Iterable[Objection]:
    target, labels = deploying.of(case.spec.target), [each.label or _name(case) for each in case.spec.prompts]
    if labels and not target.prompted:
        yield Objection("prompts", f"{target.says} has no place for personas", "leave them out")
    if len(set(labels)) < len(labels):
        yield Objection("prompts", "two prompts have one label", "give each its own: `{label: prompt}`")
    for label in labels:
        if LABEL.fullmatch(label) is None:
            yield Objection("prompts", f"`{label}` would be no word in a request", "letters, digits, `.`, `_` and `-`")


def _about_files(case: Case[DeploymentSpec]) -> Iterable[Objection]:
    taken = (*OURS, *filter(None, deploying.of(case.spec.target).parts.values()))
    for dest in case.spec.files:
        if PLACE.fullmatch(dest) is None or {".", ".."} & {*dest.split("/")} or len(dest) > 200:
            yield Objection(f"files.{dest}", f"`{dest}` is no place in the bundle", "a path inside it, such as `docs/agent.md`")
        elif dest.lower().split("/")[0] in {each.lower() for each in taken}:
            yield Objection(f"files.{dest}", f"`{dest}` would stand in the place of the bundle's own", "give it another name")
