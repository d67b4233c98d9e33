"""The plain modules of a kind's recipe, imported as its script imports them."""

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

TEMPLATES = Path(__file__).parents[2] / "templates"


@contextmanager
def modules_of(kind, *names):
    """Some modules of templates/KIND/lib, templates/shared and templates/lib; nothing of them is left behind."""
    homes = [str(TEMPLATES / kind / "lib"), str(TEMPLATES / "shared"), str(TEMPLATES / "lib")]
    before = {*sys.modules}
    sys.path[:0] = homes
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        del sys.path[:3]
        for name in {*sys.modules} - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(TEMPLATES)):
                del sys.modules[name]
