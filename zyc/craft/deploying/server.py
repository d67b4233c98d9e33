"""The target `server`: an OpenAI-compatible gateway before llama-server, in a container or beside systemd."""

from __future__ import annotations

from pydantic import Field

from zyc import fields
from zyc.craft.deploying.gateway import GatewayFields, GatewayTarget


class ServerFields(GatewayFields):
    """How the server answers."""

    open: fields.Flag = False
    """Whether anybody may ask without a key; limits then count for addresses."""
    proxies: fields.Integer = Field(0, ge=0, le=10)
    """Proxies of your own in front of it, whose `X-Forwarded-For` is believed."""


class Server(GatewayTarget):
    """A gateway that keeps keys, limits and counts, and llama-server behind it."""

    name = "server"
    says = "a server"
    parts = {"gateway": "gateway", "image": "", "docker": ""}
