"""The generic step: a command of the user's own, run over inputs, files and scripts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.gates import Interval
from zyc.kind import Case, EnvironmentNeed, Estimate, FileNeed, Kind, Measure, Need, Objection, PinNeed, Placement, Recipe, Spec
from zyc.types import Artifact, Tree

_SCRIPT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_.][A-Za-z0-9_.+-]*)*")
_OURS = ("command.sh", "values.sh")
_NAMED = re.compile(r"ZYC_(?:VARS|MATRIX)_[A-Z0-9_]+")


class StepPlacement(Placement):
    """Where a step runs, and whether it goes on where it was cut short."""

    time: fields.Seconds | None = None
    """How long the step is expected to take; measured once it has run."""
    resume: fields.Flag = False
    """The command goes on from what it left in `state/` when it was cut short; otherwise `state/` starts empty."""


class StepSpec(Spec):
    """The fields of a step."""

    run: fields.Script
    """The command, for bash. It is written to `recipe/command.sh` as it stands; what it leaves in `out/` is the artifact."""
    inputs: dict[fields.Name, fields.RefOrRefs[Artifact]] = Field(default_factory=dict)
    """Other nodes: `exam: philo-exam` stands at `in/exam`; a list stands at `in/exam/0`, a family by its coordinates."""
    files: dict[fields.Name, fields.FilePath] = Field(default_factory=dict)
    """Files, folders or globs of yours: `style: site/style.css` stands at `in/style`."""
    scripts: dict[fields.Text, fields.FilePath] = Field(default_factory=dict)
    """Scripts of yours that become part of the recipe: `make.py: scripts/report.py` stands at `recipe/make.py`."""
    env: Annotated[tuple[fields.Variable, ...], BeforeValidator(fields.read_list)] = ()
    """Environment variables to pass: their names and values count for the key."""
    secrets: Annotated[tuple[fields.Variable, ...], BeforeValidator(fields.read_list)] = ()
    """Environment variables to pass as secrets: only their names count, and their values are kept out of every file and log."""
    tools: Annotated[tuple[fields.Text, ...], BeforeValidator(fields.read_list)] = ()
    """Programs that the command calls, such as `pandoc`: their versions are pinned in `zyc.lock` and count for the key."""
    packages: Annotated[tuple[fields.Text, ...], BeforeValidator(fields.read_list)] = ()
    """Python packages that the scripts import, such as `numpy`: pinned like tools."""
    placement: StepPlacement = StepPlacement()
    """Where and how fast the step runs: never part of its key."""


class Step(Kind[StepSpec]):
    """A command of your own between other nodes: fetch, transform, report, whatever has no kind of its own.

    The command runs in a folder with its inputs under `in/`, its scripts under `recipe/`, and an empty `out/`. It sees a
    scrubbed environment: vars and matrix values that it names arrive as `ZYC_VARS_EPOCHS`, `ZYC_MATRIX_RANK`. Numbers
    that it writes to `measures.json` are kept and can be gated.
    """

    name = "step"
    section = "steps"
    Spec = StepSpec
    gives = Tree
    measures = {"*": Measure("a number that the command wrote to `measures.json`")}

    def shorthand(self, value: str) -> Mapping[str, str]:
        """`page: make html > out/page.html` is a step that only runs."""
        return {"run": value}

    def needs(self, spec: StepSpec) -> Iterable[Need]:
        """Scripts are part of the recipe, so their text is needed; variables and pins are keyed."""
        for name, script in spec.scripts.items():
            yield FileNeed(script.path, f"scripts.{name}", text=True)
        for at, name in enumerate(spec.env):
            yield EnvironmentNeed(name, f"env.{at}")
        for at, name in enumerate(spec.secrets):
            yield EnvironmentNeed(name, f"secrets.{at}", secret=True)
        for at, name in enumerate(spec.tools):
            yield PinNeed(f"tool:{name}", f"tools.{at}")
        for at, name in enumerate(spec.packages):
            yield PinNeed(f"package:{name}", f"packages.{at}")

    def check(self, case: Case[StepSpec]) -> Iterable[Objection]:
        """Names that would stand in the same place, or that the step folder keeps for itself."""
        spec = case.spec
        for name in sorted(spec.files.keys() & spec.inputs.keys()):
            yield Objection(
                f"files.{name}", f"`{name}` is both an input and a file, and both would stand at `in/{name}`", "rename one"
            )
        taken = {name: f"zyc's own `{name}`" for name in _OURS}
        for name in spec.scripts:
            # disks may not tell `A` from `a`
            place, same = name.lower(), taken.get(name.lower())
            within = next((each for each in (*_OURS, *spec.scripts) if place.startswith(f"{each.lower()}/")), None)
            if _SCRIPT.fullmatch(name) is None or {".", ".."} & {*name.split("/")} or len(name) > 200:
                yield Objection(
                    f"scripts.{name}", f"a script cannot be called `{name}`", "give it a file name, such as `make.py`"
                )
            elif same is not None:
                yield Objection(f"scripts.{name}", f"`{name}` would stand in the place of {same}", "rename it")
            elif within is not None:
                yield Objection(f"scripts.{name}", f"`{name}` would stand in `{within}`, which is a script, too", "rename one")
            taken[place] = f"`{name}`"
        for name in sorted({*spec.env} & {*spec.secrets}):
            yield Objection("secrets", f"`{name}` is both in `env` and in `secrets`", "keep it in `secrets` only")
        for name in sorted({*spec.tools, *spec.packages}):
            if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name) is None:
                yield Objection(
                    "tools" if name in spec.tools else "packages", f"`{name}` is not the name of a program or package", ""
                )

    def estimate(self, case: Case[StepSpec]) -> Estimate:
        """Only what the spec says: a command is opaque until it has run once."""
        placed = case.spec.placement
        seconds = None if placed.time is None else Interval(placed.time, placed.time, "placement.time")
        return Estimate(seconds=seconds, memory=placed.memory, disk=placed.disk)

    def recipe(self, case: Case[StepSpec]) -> Recipe:
        """The command and scripts as they stand, and the values that they name."""
        scripts = {name: case.files[each.path].text or "" for name, each in case.spec.scripts.items()}
        named = {word for text in (case.spec.run, *scripts.values()) for word in _NAMED.findall(text)}
        values = "".join(f"export {name}={shlex.quote(case.values[name])}\n" for name in sorted(named & case.values.keys()))
        return Recipe(files={"command.sh": f"{case.spec.run.rstrip()}\n", **({"values.sh": values} if values else {}), **scripts})

    def place(self, path: str) -> str:
        """`inputs.exam` and `files.style` stand side by side in `in/`."""
        return path.split(".", 1)[1].replace(".", "/")

    def resumes(self, spec: StepSpec) -> bool:
        """As its placement says."""
        return spec.placement.resume
