"""Merges in tests: three tiny models, and a merge of them run in this process, as its rendered script has it."""

import contextlib
import io
import os
import runpy
import shutil
import sys
from pathlib import Path

import trainee

from zyc import kinds
from zyc.kind import Case

FACTS = trainee.facts(dtype="fp32", tokenizer="a digest")


def case(spec, inputs=None, **facts):
    """A merge as its kind sees it; every model is the tiny one unless `inputs` says otherwise, by its name."""
    kind = kinds.load("merge")
    made = kind.Spec.model_validate(trainee.plain(spec))
    told = {}
    for ref, path in references(made):
        told[path] = (inputs or {}).get(ref.name, FACTS)
    return kind, Case(made, told, **facts)


def references(spec):
    """Every model that is named, with its path."""
    from zyc.craft.merging.written import references as every

    return every(spec)


def objections(spec, inputs=None):
    """What is said against it: field, sentence, next step."""
    kind, told = case(spec, inputs)
    return [(each.field, each.says, each.help) for each in kind.check(told)]


def files(spec, inputs=None):
    """Its files, without a project around it."""
    _, told = case(spec, inputs)
    return trainee.rendered("merge", spec, told.inputs)


def forget():
    """What mergekit remembers of folders by their relative names."""
    from mergekit.io.tasks import LoaderCache

    LoaderCache().flush_all()


def merged(home, spec, places, stem="merge", script="merge", rendered=None):
    """Run a merge in a folder; `places` are folders by the names of the nodes. A step that refuses has a sentence."""
    from zyc.craft.merging.written import place

    made = kinds.load("merge").Spec.model_validate(trainee.plain(spec))
    links = {place(path): Path(places[ref.name]).resolve() for ref, path in references(made)}
    return step(home, rendered or files(spec), links, script)


def step(home, rendered, links, script):
    """Run the script of a step in this process."""
    home = trainee.write_step(home, rendered, links)
    for name in ("out", "tmp", "state"):
        (home / name).mkdir(exist_ok=True)
    forget()
    said, error = io.StringIO(), ""
    before, path, cwd, environ = {*sys.modules}, list(sys.path), Path.cwd(), dict(os.environ)
    sys.path[:0] = [str(home / "recipe"), str(home / "harness")]
    os.chdir(home)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            runpy.run_path(f"recipe/{script}.py", run_name="__main__")
    except SystemExit as told:
        error = str(told)
    finally:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path
        for each in {*sys.modules} - before:
            if str(getattr(sys.modules[each], "__file__", "") or "").startswith(str(home)):
                del sys.modules[each]
    return home, error, said.getvalue()


def proof(home, model):
    """What the proof measures of a model."""
    rendered = trainee.rendered("wholeness", {"subject": "a"}, {"subject": FACTS})
    home, error, said = step(home, rendered, {"subject": Path(model).resolve()}, "look")
    assert not error, said
    return trainee.measures(home)


def copy(source, target):
    """A model under another name, to plant a fault in."""
    shutil.copytree(source, target)
    return target


def weights(folder):
    """All tensors of a model, in single precision, as numpy has them."""
    import torch
    from safetensors.torch import load_file

    told = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        told |= {name: each.to(torch.float32).numpy() for name, each in load_file(path).items()}
    return told
