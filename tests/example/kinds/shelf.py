"""The kind `shelf`: passages by their first word, which is an index of its own kind."""

from __future__ import annotations

from zyc import fields
from zyc.kind import Kind, Spec
from zyc.types import Index


class ShelfSpec(Spec):
    """The fields of a shelf."""

    passages: fields.FilePath
    """A text file, one passage a line."""


class Shelf(Kind[ShelfSpec]):
    """Finds passages by the word that they begin with."""

    name = "shelf"
    section = "shelfs"
    Spec = ShelfSpec
    gives = Index
