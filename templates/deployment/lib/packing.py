"""What stands in a bundle: the model's files as links or copies, personas as they are, templates of the user's filled."""

import hashlib
import importlib
import json
import os
import shutil
import sys

BESIDE = ("imatrix.json", "quantized.json")  # what a model's folder holds for its proof, and nobody serves


def write_json(path, told):
    """The same text for the same facts."""
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def digest(path):
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lay(source, out):
    """What is handed on as it is."""
    for path in sorted(each for each in source.rglob("*") if each.is_file()) if source.is_dir() else ():
        target = out / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def link(source, target):
    """The same file under another name, where the disk can do that; else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def model(source, out):
    """The model's files, each with its size and digest; the first one is what an engine opens."""
    files = {}
    for path in sorted(each for each in source.rglob("*") if each.is_file() and each.name not in BESIDE):
        name = f"model/{path.relative_to(source).as_posix()}"
        link(path, out / name)
        files[name] = {"bytes": path.stat().st_size, "sha256": digest(path)}
    opened = [name for name in files if name.endswith(".gguf")] or [name for name in files if name.endswith("/config.json")]
    if not opened:
        sys.exit(f"error: {source} holds no model: neither a .gguf nor a config.json")
    return {"first": opened[0], "files": files}


def prompts(source, labels, out):
    """Each persona under its label."""
    told = {}
    for at, label in enumerate(labels):
        shutil.copytree(source / str(at), out / "prompts" / label, copy_function=shutil.copyfile)
        told[label] = f"prompts/{label}"
    return told


def index(source, out):
    """The passages that an assistant looks up."""
    shutil.copytree(source, out / "index", copy_function=shutil.copyfile)
    return "index"


def requirements(packages, out, older=()):
    """The packages that run it, each at one version; `older` names those that Python 3.10 can have only in another."""
    lines = []
    for name, version in sorted(packages.items()):
        newer = "; python_version >= '3.11'" if name in older else ""
        lines += [f"{name}=={version}{newer}"]
        lines += [f"{name}=={older[name]}; python_version < '3.11'"] if name in older else []
    (out / "requirements.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def reports(source, paths):
    """The reports whose numbers are told, in order."""
    return [json.loads((source / path / "report.json").read_text(encoding="utf-8")) for path in paths]


def words(out, bundle):
    """What each persona says and how it draws, for a template of the user's."""
    return {
        label: json.loads((out / place / "prompt.json").read_text(encoding="utf-8")) for label, place in bundle["prompts"].items()
    }


def fill(source, out, facts):
    """The user's own files, from the facts of the bundle; a template that cannot be filled is told with its line."""
    if not source.is_dir():
        return
    import traceback

    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # what is made is no page of somebody else's: markup is as the user wrote it
    plain = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    world = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, **plain)
    for path in sorted(each for each in source.rglob("*") if each.is_file()):
        dest = path.relative_to(source)
        try:
            text = world.from_string(path.read_text(encoding="utf-8")).render(facts)
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, ZeroDivisionError) as error:
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
            sys.exit(f"error: the template of `{dest}` cannot be filled, line {(lines or [1])[-1]}: {error}")
        target = out / dest
        if target.exists():
            sys.exit(f"error: `{dest}` would stand in the place of the bundle's own")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def finish(name, out, bundle):
    """What a target writes once all else is there: a module with one function."""
    importlib.import_module(name).finish(out, bundle)


def size(out):
    """Bytes and files."""
    files = [each for each in out.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files), len(files)
