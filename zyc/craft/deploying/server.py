"""The target `server`: an OpenAI-compatible gateway before llama-server, in a container or beside systemd."""

from __future__ import annotations

from pydantic import Field

from zyc import fields
from zyc.craft.deploying.target import Target
from zyc.kind import Fields


class ServerFields(Fields):
    """How the server answers."""

    slots: fields.Integer = Field(4, ge=1, le=256)
    """Answers that are written at the same time; who asks meanwhile waits."""


class Server(Target):
    """A gateway that keeps keys, limits and counts, and llama-server behind it."""

    name = "server"
    says = "a server"
    starts = "gateway"
