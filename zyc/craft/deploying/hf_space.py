"""The target `hf-space`: a Space on Hugging Face with a page to ask on, open to everybody, on its free processors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import Field

from zyc import fields
from zyc.craft.deploying.gateway import GatewayFields, GatewayTarget
from zyc.kind import Case, Objection

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
REVISION = re.compile(r"[0-9a-f]{40}")
PORT = 8000  # of the image


class HfSpaceFields(GatewayFields):
    """How the Space looks and answers."""

    slots: fields.Integer = Field(1, ge=1, le=256)
    """Answers that are written at the same time: two free cores write one answer best."""
    requests_per_minute: fields.Integer = Field(10, ge=1)
    """Requests of one address."""
    embeddings: fields.Flag = False
    """Whether texts are turned into vectors, by a second engine on the same file that starts with the first such call."""
    proxies: fields.Integer = Field(1, ge=0, le=10)
    """Proxies in front of it whose `X-Forwarded-For` is believed: Hugging Face has one."""
    space: fields.Text = ""
    """Where it goes: `me/philo`."""
    repository: fields.Text = ""
    """Where the model's files are published, `me/philo-gguf`: the Space fetches them. Without, they travel along."""
    revision: fields.Text = ""
    """The commit of `repository`, 40 hexadecimal digits: what is fetched is also held against its digest."""
    path: fields.Text = ""
    """The folder in `repository` that they are in."""
    title: fields.Text = ""
    """What stands above the page; the name of the registry when not given."""
    emoji: fields.Text = "💬"
    """What stands for the Space in lists."""
    colors: fields.Texts = ("yellow", "red")
    """The two colours of its card: red, yellow, green, blue, indigo, purple, pink, gray."""
    examples: fields.Texts = ()
    """Questions to begin with."""


COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")


class HfSpace(GatewayTarget):
    """The gateway without keys, and a page."""

    name = "hf-space"
    says = "a Space"
    parts = {"gateway": "gateway", "page": "page", "image": ""}

    def settings(self, case: Case) -> Mapping[str, object]:  # type: ignore[type-arg]  # of a deployment
        """What the gateway reads, open to everybody."""
        told = dict(super().settings(case))
        for name in ("emoji", "colors"):  # of the Space's own metadata
            told.pop(name)
        return {**told, "open": True, "title": self._title(case)}

    def front(self, case: Case) -> Mapping[str, object]:  # type: ignore[type-arg]
        """What Hugging Face reads of the README."""
        group = case.spec.hf_space
        front: dict[str, object] = {"title": self._title(case), "emoji": group.emoji}
        front |= dict(zip(("colorFrom", "colorTo"), group.colors, strict=False))
        front |= {"sdk": "docker", "app_port": PORT, "pinned": False, "startup_duration_timeout": "1h"}
        licence = getattr(case.inputs["model"], "licence", None)
        front |= {"license": licence} if licence else {}
        return {**front, **({"models": [group.repository]} if group.repository else {})}

    @staticmethod
    def _title(case: Case) -> str:  # type: ignore[type-arg]
        return case.spec.hf_space.title or case.spec.registry.name or case.spec.registry.id or "Chat"

    def check(self, case: Case) -> Iterable[Objection]:  # type: ignore[type-arg]
        """Names as the hub has them, and a revision that cannot move."""
        yield from super().check(case)
        group = case.spec.hf_space
        for name in ("space", "repository"):
            text = getattr(group, name)
            if text and REPOSITORY.fullmatch(text) is None:
                yield Objection(f"hf_space.{name}", f"`{text}` is no repository", "write `owner/name`")
        if bool(group.repository) != bool(group.revision):
            there, missing = ("repository", "revision") if group.repository else ("revision", "repository")
            yield Objection(f"hf_space.{there}", f"`{there}` needs `{missing}`", "a model is fetched from both, or travels along")
        elif group.revision and REVISION.fullmatch(group.revision) is None:
            says = f"`{group.revision}` can move: a bundle names the commit itself"
            yield Objection("hf_space.revision", says, "write its 40 hexadecimal digits")
        if len(group.colors) != 2 or not set(group.colors) <= set(COLORS):
            yield Objection("hf_space.colors", "a Space has two colours", f"two of {', '.join(COLORS)}")
