"""The target `ollama`: a Modelfile a persona, with the chat template in the language that Ollama reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from zyc.craft import evaluating
from zyc.craft.chats import CHATS
from zyc.craft.deploying.target import Target
from zyc.kind import Case, Objection
from zyc.types import Prompt

if TYPE_CHECKING:
    from zyc.craft.deploying.spec import DeploymentSpec


class Ollama(Target):
    """The file of the model, and what Ollama is told of it: template, stops, parameters, system text, examples."""

    name = "ollama"
    says = "Ollama"
    scripts = frozenset({"gotemplates.py", "modelfiles.py"})
    finishes = ("modelfiles.py",)

    def check(self, case: Case[DeploymentSpec]) -> Iterable[Objection]:
        """A template that can be said in Go, and personas that look nothing up."""
        template = evaluating.shape_of(case.inputs["model"]).template
        if template is not None and template not in CHATS:
            says = "its chat template is one that zyc has no words for in Go" if template else "it has no chat template"
            yield Objection("model", f"{says}, and Ollama reads no other", f"one of {', '.join(CHATS)}")
        for at, each in enumerate(case.spec.prompts):
            facts = case.inputs.get(f"prompts.{at}.node")
            if isinstance(facts, Prompt) and facts.looks_up:
                says = f"`{each.node.name}` looks passages up, and Ollama does not"
                yield Objection(f"prompts.{at}.node", says, "`target: server` does")

    def settings(self, case: Case[DeploymentSpec]) -> Mapping[str, object]:
        """Which template, and what ends an answer."""
        shape = evaluating.shape_of(case.inputs["model"])
        known = CHATS.get(shape.template or "")
        return {"template": shape.template or "", "end_of_turn": shape.end_of_turn or (known.end_of_turn if known else "")}
