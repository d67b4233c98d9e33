"""The target `assistant`: an application of its own that answers on this machine and acts with the tools that it is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from zyc import fields
from zyc.craft.deploying import tools
from zyc.craft.deploying.target import Target
from zyc.errors import nearest
from zyc.kind import Case, Fields, FileNeed, Need, Objection
from zyc.types import Prompt

if TYPE_CHECKING:
    from zyc.craft.deploying.spec import DeploymentSpec

LANGUAGES = ("fr", "en")
BYTES_PER_TOKEN = 3.5
ROOM = 160  # tokens of a question, a result and an answer: less is no conversation
MARK = "{tools}"  # where a persona wants the list


def read_language(value: object) -> object:
    """One of the languages, or the nearest."""
    text = fields.read_text(value)
    if text not in LANGUAGES:
        close = nearest(text, LANGUAGES)
        fields.wrong("a language", value, f"did you mean `{close}`?" if close else "there are `fr` and `en`")
    return text


class AssistantFields(Fields):
    """What the assistant may do."""

    tools: fields.FilePath | None = None
    """The tools that it is allowed, by name; without a file: tasks, notes, reading, timers and sums."""
    steps: fields.Integer = Field(4, ge=1, le=32)
    """Actions that one request may take at most."""
    folder: fields.Text = "files"
    """The one folder whose files tools may touch: below the assistant's own home, or a path such as `~/Documents/jarvis`."""
    confirm: fields.Texts = ()
    """Further tools that a person says yes to each time: those that the file asks for are asked about anyway."""
    language: Annotated[str, BeforeValidator(read_language), Field(json_schema_extra={"enum": list(LANGUAGES)})] = "fr"
    """What the console itself speaks: `fr` or `en`."""
    voice: fields.Flag = False
    """Whether it listens and speaks from the start; `--voice` does it, too."""


class Assistant(Target):
    """A loop over a model that calls tools, asks before critical ones, and remembers notes."""

    name = "assistant"
    says = "an assistant"
    indexed = True
    starts = "assistant"
    parts = {"assistant": "assistant"}
    modules = ("answering.py", "calling.py", "embedding.py", "llama_home.py", "retrieving.py", "sampler.py")
    older = {"numpy": "2.2.6", "pyarrow": "25.0.1"}
    packages = ("faiss-cpu", "jinja2", "numpy", "pyarrow", "llama-cpp-python")

    def needs(self, spec: DeploymentSpec) -> Iterable[Need]:
        """The file of tools is part of the recipe."""
        if spec.assistant.tools is not None:
            yield FileNeed(spec.assistant.tools.path, "assistant.tools", text=True, data=True)

    def check(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """Tools that are whole, names that exist, a context that holds a conversation."""
        spec = case.spec.assistant
        try:
            known = tools_of(case)
        except tools.Wrong as wrong:
            path = spec.tools.path if spec.tools is not None else ""
            where = f"{path}:{wrong.line}" if wrong.line else path
            yield Objection("assistant.tools", f"{where}: {wrong.says}", wrong.help)
            return
        for name in spec.confirm:
            if name not in known:
                close = nearest(name, list(known))
                help_ = f"did you mean `{close}`?" if close else "there are " + ", ".join(f"`{each}`" for each in known)
                yield Objection("assistant.confirm", f"there is no tool `{name}` to be asked about", help_)
        if not spec.folder.strip() or ".." in spec.folder.split("/"):
            yield Objection("assistant.folder", f"`{spec.folder}` is no folder of its own", "`files`, or `~/Documents/jarvis`")
        yield from self._room(case, known)

    def notes(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """What is there and never used."""
        if case.spec.index is not None and "search_notes" not in _ran(tools_of(case)):
            yield Objection("index", "no tool searches these notes", "allow `search_notes`, or leave the index out")

    def settings(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """The group; the tools stand in a file beside."""
        return {**super().settings(case), "tools": "tools.json"}

    def files(self, case: Case[DeploymentSpec]) -> Mapping[str, str]:
        """The tools as JSON: nothing that reads YAML is needed where the assistant runs."""
        return {"tools.json": json.dumps({"tools": tools_of(case)}, indent=2, ensure_ascii=False) + "\n"}

    @staticmethod
    def _room(case: Case[DeploymentSpec], known: Mapping[str, Mapping[str, Any]]) -> Iterable[Objection]:
        """What a persona and its list of tools leave of the context."""
        size = round(sum(len(tools.line(name, each).encode()) + 1 for name, each in known.items()) / BYTES_PER_TOKEN)
        for _, each in case.every("prompts"):
            if not isinstance(each, Prompt) or each.tokens is None:
                continue
            wanted = size if MARK in (each.system or "") else 0
            if each.tokens + wanted + ROOM > case.spec.context:
                about = f"{each.tokens:,} tokens of a persona"
                sum_ = f"{about}, {wanted:,} of tools" if wanted else about
                says = f"{sum_} and {ROOM:,} for a request and its answer do not fit into {case.spec.context:,}"
                yield Objection("context", says, "a larger context, a shorter persona, or fewer tools")


def tools_of(case: Case[DeploymentSpec]) -> dict[str, Any]:
    """The tools that the node allows; raises tools.Wrong."""
    file = case.spec.assistant.tools
    if file is None:
        return dict(tools.USUAL)
    return tools.read(case.files[file.path].data)


def _ran(known: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {str(each.get("runs") or name) for name, each in known.items() if "command" not in each}
