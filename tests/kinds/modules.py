"""The plain modules of a kind's recipe, imported as its script imports them."""

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

TEMPLATES = Path(__file__).parents[2] / "templates"


@contextmanager
def alone():
    """No module of templates/ is loaded, whoever loaded it, as folders have modules of one name; nothing new stays."""
    others = {name: each for name, each in sys.modules.items() if _is_ours(each)}
    for name in others:
        del sys.modules[name]
    before = {*sys.modules}
    try:
        yield
    finally:
        for name in {*sys.modules} - before:
            if _is_ours(sys.modules[name]):
                del sys.modules[name]
        sys.modules.update(others)


def _is_ours(module):
    return str(getattr(module, "__file__", "")).startswith(str(TEMPLATES))


@contextmanager
def modules_of(kind, *names):
    """Some modules of templates/KIND/lib, templates/shared and templates/lib."""
    homes = [str(TEMPLATES / kind / "lib"), str(TEMPLATES / "shared"), str(TEMPLATES / "lib")]
    with alone():
        sys.path[:0] = homes
        try:
            yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        finally:
            del sys.path[:3]
