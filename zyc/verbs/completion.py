"""`zyc completion`: words for the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from zyc.verbs import App

_HOW = {
    "bash": 'eval "$(zyc completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(zyc completion zsh)"       in ~/.zshrc',
    "fish": "zyc completion fish | source      in ~/.config/fish/config.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_HOW)))
@click.pass_obj
def command(app: App, shell: str) -> int:
    """Print a script that completes verbs, options, nodes and specs.

    \b
    eval "$(zyc completion bash)"
    zyc completion fish | source
    """
    app.acted = True
    made = get_completion_class(shell)
    assert made is not None
    script = made(click.get_current_context().find_root().command, {}, "zyc", "_ZYC_COMPLETE")
    # click's own check starts the shell to read its version; the scripts are the same for all that are in use
    app.console.print(script.source_template % script.source_vars())
    app.console.print(f"# {_HOW[shell]}")
    return 0
