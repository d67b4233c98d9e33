"""The target `hub`: the files of a model with its card, as a repository of a hub has them."""

from __future__ import annotations

from zyc import fields
from zyc.craft.deploying.target import Target
from zyc.kind import Fields
from zyc.types import Artifact, Gguf, HfQuant, Model


class HubFields(Fields):
    """Where it is published."""

    repository: fields.Text = ""
    """The repository: `me/philo`."""
    private: fields.Flag = False
    """Only those who are let in see it."""


class Hub(Target):
    """A release of weights: nothing of it runs by itself."""

    name = "hub"
    says = "a hub"
    wants = Artifact
    takes = (Gguf, HfQuant, Model)
