"""`zyc schema`: the JSON Schema of spec files, or the page of one kind: every field with its docs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from zyc import kinds
from zyc.errors import guess
from zyc.report.kind_page import page_of
from zyc.schema import of_kind, of_specs
from zyc.verbs import App


@click.command("schema")
@click.argument("kind", default="", metavar="[KIND]")
@click.option("-o", "--output", metavar="FILE", help="Write it to a file instead.")
@click.option("--json", "as_json", is_flag=True, help="The schema of a kind in place of its page.")
@click.pass_obj
def command(app: App, kind: str, output: str | None, *, as_json: bool) -> int:
    """Print the JSON Schema of spec files, for completion and docs in an editor; or all about one kind, in markdown.

    \b
    zyc schema quant                   its fields, types, defaults, measures
    zyc schema -o specs/.schema.json
    # then, as the first line of a spec:  # yaml-language-server: $schema=.schema.json
    """
    app.acted, app.json = True, as_json
    found = _named(kind) if kind else None
    if found is not None and not as_json:
        text = page_of(found)
    else:
        text = json.dumps(of_specs() if found is None else of_kind(found), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        app.console.exact(text.rstrip("\n"))
    else:
        app.world.write(Path(app.here, output), text)
        app.console.print(output if kind else f"{output}: point your editor at it")
    return 0


def _named(name: str) -> kinds.AnyKind:
    stem = kinds.section_stem(name) or name  # `quants` is as good as `quant`
    if stem not in kinds.stems():
        raise click.UsageError(f"no kind `{name}`; {guess(name, kinds.stems(), listed='there are')}")
    return kinds.load(stem)
