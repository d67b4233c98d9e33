"""What the targets that serve a GGUF through the gateway share: how it answers, whom, and how much of a machine that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from pydantic import Field

from zyc import fields
from zyc.catalogue import devices
from zyc.craft import arch, evaluating
from zyc.craft.deploying.target import Carried, Target
from zyc.kind import Case, Fields, Objection
from zyc.quantity import in_bytes
from zyc.types import Prompt

OWN = 120_000_000  # bytes that the gateway itself holds
SEARCHING = ("embedding.py", "retrieving.py", "faiss-cpu", "numpy", "pyarrow")  # what looks passages up for a persona


class GatewayFields(Fields):
    """How the gateway answers."""

    slots: fields.Integer = Field(4, ge=1, le=256)
    """Answers that are written at the same time, each with the whole context; who asks meanwhile waits."""
    threads: fields.Integer | None = Field(None, ge=1, le=1024)
    """Threads of the engine; all that the machine has when not given."""
    queue: fields.Integer = Field(16, ge=0, le=10_000)
    """How many may wait for a slot; the next one is told to come back: 429, with `Retry-After`."""
    patience: fields.Seconds = Field(30.0, gt=0)
    """How long somebody waits for a slot before being told so."""
    timeout: fields.Seconds = Field(300.0, gt=0)
    """How long an answer may take, waiting included."""
    grace: fields.Seconds = Field(30.0, ge=1)
    """How long answers in flight may go on once the gateway is told to stop."""
    body: fields.Bytes = Field(1_000_000, ge=1_000, le=1_000_000_000)
    """The longest request."""
    prompt_tokens: fields.Integer | None = Field(None, ge=1)
    """The most tokens of a prompt, its persona included; what the context leaves when not given."""
    max_tokens: fields.Integer | None = Field(None, ge=1)
    """The most tokens of an answer, whatever a request asks for; what the context leaves when not given."""
    requests_per_minute: fields.Integer = Field(60, ge=1)
    """Requests of one key, or of one address where there are no keys."""
    tokens_per_minute: fields.Integer | None = Field(None, ge=1)
    """Tokens read and written for one key, or one address."""
    embeddings: fields.Flag = True
    """Whether texts are turned into vectors, by a second engine on the same file that starts with the first such call."""
    log_text: fields.Flag = False
    """Whether the log has what was asked and answered; people are to be told so."""


class GatewayTarget(Target):
    """A gateway and llama-server, in one folder."""

    starts: ClassVar[str] = "gateway"
    modules: ClassVar[tuple[str, ...]] = (
        *("asked.py", "asking.py", "chats.py", "embedding.py", "retrieving.py"),  # as the exam puts a chat together
        "llama_home.py",
    )
    packages: ClassVar[tuple[str, ...]] = (
        *("jinja2", "prometheus-client", "pydantic", "starlette", "uvicorn"),
        *("faiss-cpu", "numpy", "pyarrow"),  # what a persona looks up
    )

    def carries(self, case: Case) -> Carried:  # type: ignore[type-arg]
        """What looks passages up goes along where a persona does."""
        return searching(super().carries(case), case)

    def group(self, case: Case) -> GatewayFields:  # type: ignore[type-arg]  # of a deployment
        """Its own settings."""
        told = getattr(case.spec, self.field)
        assert isinstance(told, GatewayFields)
        return told

    def settings(self, case: Case) -> Mapping[str, object]:  # type: ignore[type-arg]
        """The group with its defaults; what was not given stays out."""
        told = self.group(case).model_dump(mode="json")
        return {name: value for name, value in told.items() if value is not None}

    def check(self, case: Case) -> Iterable[Objection]:  # type: ignore[type-arg]
        """Limits that leave room for a question, personas that fit, slots that the machine holds."""
        group, spec = self.group(case), case.spec
        if group.prompt_tokens is not None and group.prompt_tokens >= spec.context:
            says = f"a prompt of {group.prompt_tokens:,} tokens leaves no room for an answer in {spec.context:,}"
            yield Objection(f"{self.field}.prompt_tokens", says, f"`prompt_tokens: {spec.context * 3 // 4}`")
        for path, facts in case.every("prompts"):
            yield from _about_a_prompt(path, facts, spec.context)
        yield from self._about_memory(case)

    def _about_memory(self, case: Case) -> Iterable[Objection]:  # type: ignore[type-arg]
        spec, slots = case.spec, self.group(case).slots
        room = devices.device(spec.on).memory if spec.on else None
        held = self.memory(case)
        if room is None or held is None or held <= room:
            return
        one = self.memory(case, slots=1)
        fits = next((each for each in range(slots - 1, 0, -1) if (self.memory(case, slots=each) or 0) <= room), None)
        says = f"{slots} slots of {spec.context:,} tokens hold {in_bytes(held)}, and {spec.on} has {in_bytes(room)}"
        least = "" if one is None else f"even one holds {in_bytes(one)}: take a smaller type, or a shorter `context`"
        yield Objection(f"{self.field}.slots", says, f"`slots: {fits}`" if fits else least)

    def memory(self, case: Case, slots: int | None = None) -> int | None:  # type: ignore[type-arg]
        """Bytes while it answers everybody."""
        count = slots or self.group(case).slots
        held = evaluating.memory(case.inputs["model"], case.spec.context * count)
        return None if held is None else int(held.low) + OWN

    def notes(self, case: Case) -> Iterable[Objection]:  # type: ignore[type-arg]
        """A context that the model was never trained for; what memory it takes is told by its check."""
        shape = evaluating.shape_of(case.inputs["model"])
        if shape.context is not None and case.spec.context > shape.context and not case.twin:
            says = f"the model was trained for {shape.context:,} tokens: the rest of {case.spec.context:,} is never used"
            yield Objection("context", says, f"`context: {shape.context}`")
        cache = arch.cache_bytes(shape, case.spec.context)
        slots = self.group(case).slots
        if self.group(case).log_text:
            yield Objection(f"{self.field}.log_text", "the log will hold what people ask", "tell them, or leave it out")
        if cache is not None and slots > 1 and cache * slots > 16e9:
            says = f"{slots} slots hold {in_bytes(cache * slots)} for what was said"
            yield Objection(f"{self.field}.slots", says, "fewer slots, or a shorter `context`")


def searching(told: Carried, case: Case) -> Carried:  # type: ignore[type-arg]
    """The same, without what looks passages up where nobody does."""
    looks_up = any(isinstance(facts, Prompt) and facts.looks_up for _, facts in case.every("prompts"))
    return told if looks_up else told.without(*SEARCHING)


def _about_a_prompt(path: str, facts: object, context: int) -> Iterable[Objection]:
    if not isinstance(facts, Prompt):
        return
    if facts.tokens is not None and facts.tokens >= context:
        says = f"what stands before a question is about {facts.tokens:,} tokens, and the context is {context:,}"
        yield Objection(path, says, "raise `context`, or shorten the prompt")
    if facts.looks_up == "model":
        says = "its index is searched by a model, which the gateway does not load"
        yield Objection(path, says, "`embedder: hashing` in the index needs none")
