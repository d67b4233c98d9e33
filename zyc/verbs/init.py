"""`zyc init`: a project that plans and builds."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from zyc import kinds
from zyc.errors import ZycError, problem
from zyc.verbs import App

_SPEC = """\
# A first project: three small steps. `zyc plan specs/` says what would happen, `zyc build specs/` does it.
zyc: 1
about: A greeting, counted

vars:
  name: world

steps:
  greeting:                                  # what a command leaves in out/ is kept under the key of its recipe
    run: echo "hello, $ZYC_VARS_NAME" > out/greeting.txt

  count:                                     # the output of another node stands in in/
    inputs: {greeting: greeting}
    run: |
      letters=$(tr -cd '[:alpha:]' < in/greeting/greeting.txt | wc -c)
      echo "{\\"letters\\": $letters}" > measures.json
      echo "$letters letters" > out/count.txt
    gates: [letters >= 5]                    # a bound on what was measured; moving it reruns nothing

  page:
    inputs: {greeting: greeting, count: count}
    scripts: {page.py: specs/data/page.py}   # part of the recipe: change it, and the page is built again
    run: python3 recipe/page.py in/greeting/greeting.txt in/count/count.txt > out/page.html
"""
_SCRIPT = '''\
"""A page of two files."""

import html
import sys
from pathlib import Path

greeting, count = (html.escape(Path(path).read_text(encoding="utf-8").strip()) for path in sys.argv[1:3])
print(f"<!doctype html>\\n<title>{greeting}</title>\\n<h1>{greeting}</h1>\\n<p>{count}</p>")
'''
_WORKFLOW = ".github/workflows/specs.yml"
_IGNORED = "artifacts/\nzyc.local.yml\n"


@click.command("init")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--ci", is_flag=True, help="Write a workflow that checks and plans each pull request, too; also in a project.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: App, folder: str, *, ci: bool, as_json: bool) -> int:
    """Start a project: a spec of three steps, a script, and what git should ignore.

    \b
    zyc init my-models && cd my-models
    zyc init --ci          a project that is there gets a workflow
    zyc plan specs/
    zyc build specs/
    """
    app.acted, app.json = True, as_json
    home = Path(app.here, folder)
    where = "" if folder == "." else f"cd {shlex.quote(folder)} && "
    there_already = bool(app.world.list(home / "specs"))
    if there_already and not (ci and not app.world.exists(home / _WORKFLOW)):
        raise ZycError(problem("project-there", path=folder, where=where))
    files = [] if there_already else [("specs/hello.yml", _SPEC), ("specs/data/page.py", _SCRIPT), (".gitignore", _IGNORED)]
    if ci:
        files.append((_WORKFLOW, app.world.read_text(kinds.templates_of("step")[0] / "workflow" / "specs.yml")))
    written = []
    for name, text in files:
        path = home / name
        there = app.world.read_text(path) if app.world.exists(path) else ""
        if there and name != ".gitignore":
            continue
        missing = [line for line in text.split() if not {line, f"/{line}"} & {*there.split()}]
        whole = text if not there else there.rstrip("\n") + "".join(f"\n{line}" for line in missing) + "\n"
        if whole == there:
            continue
        app.world.make_folder(path.parent)
        app.world.write(path, whole)
        written.append(name)
    if as_json:
        app.console.json({"folder": folder, "files": written})
        return 0
    for name in written:
        app.console.print(f"  {name}")
    if there_already:
        app.console.print("next   set `ZYC` in it to where zyc is installed from, and commit it")
        return 0
    app.console.print(f"next   {where}zyc plan specs/   then   zyc build specs/")
    return 0
