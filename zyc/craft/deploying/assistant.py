"""The target `assistant`: an application of its own that answers on this machine and acts with the tools that it is allowed."""

from __future__ import annotations

from zyc.craft.deploying.target import Target


class Assistant(Target):
    """A loop over a model that calls tools, asks before critical ones, and remembers notes."""

    name = "assistant"
    says = "an assistant"
    indexed = True
    starts = "assistant"
