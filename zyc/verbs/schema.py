"""`zyc schema`: the JSON Schema of spec files, with the docs of every field."""

from __future__ import annotations

import json
from pathlib import Path

import click

from zyc.schema import of_specs
from zyc.verbs import App


@click.command("schema")
@click.option("-o", "--output", metavar="FILE", help="Write it to a file instead.")
@click.option("--json", "as_json", is_flag=True, help="The same: a schema is JSON.")
@click.pass_obj
def command(app: App, output: str | None, *, as_json: bool) -> int:
    """Print the JSON Schema of spec files, for completion and docs in an editor.

    \b
    zyc schema -o specs/.schema.json
    # then, as the first line of a spec:  # yaml-language-server: $schema=.schema.json
    """
    app.acted, app.json = True, as_json
    text = json.dumps(of_specs(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        app.console.exact(text.rstrip("\n"))
    else:
        app.world.write(Path(app.here, output), text)
        app.console.print(f"{output}: point your editor at it")
    return 0
