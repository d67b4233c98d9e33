"""`zyc completion`: words for the shell."""

from __future__ import annotations

import click

from zyc.complete import SCRIPTS
from zyc.verbs import App


@click.command("completion")
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: App, shell: str, *, as_json: bool) -> int:
    """Print a script that completes verbs, options, nodes and specs.

    \b
    eval "$(zyc completion bash)"
    zyc completion fish | source
    """
    app.acted = True
    if as_json:
        app.console.json({"shell": shell, "script": SCRIPTS[shell]})
    else:
        app.console.exact(SCRIPTS[shell].rstrip())
    return 0
