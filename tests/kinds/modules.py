"""Plain modules of templates, loaded as a script would: what stands beside them can be imported."""

import importlib
import sys
from pathlib import Path

TEMPLATES = Path(__file__).parents[2] / "templates"


def load(path):
    """A module of templates/ with those of shared/ and of its own folder beside it."""
    file = TEMPLATES / path
    before = list(sys.path)
    sys.path[:0] = [str(file.parent), str(TEMPLATES / "shared")]
    try:
        sys.modules.pop(file.stem, None)
        return importlib.import_module(file.stem)
    finally:
        sys.path[:] = before
