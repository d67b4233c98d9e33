"""`zyc doctor`: what this machine has and lacks, and the command that mends it."""

from __future__ import annotations

import sys

import click

from zyc.place.doctor import Finding, examine, llama_home
from zyc.verbs import App


@click.command("doctor")
@click.option("--build", is_flag=True, help="Fetch and build llama.cpp now, not when a step first needs it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(app: App, *, build: bool, as_json: bool) -> int:
    """Look at this machine: what plans and builds need, what each group of kinds needs, what the lock says.

    Exits with 1 when something is missing that every build needs.

    \b
    zyc doctor
    zyc doctor --json
    """
    app.acted, app.json = True, as_json
    if build and _build() != 0:
        return 1
    found = examine(app.world, app.here)
    if as_json:
        app.console.json([{name: getattr(each, name) for name in each.__slots__} for each in found])
    else:
        group = ""
        for each in found:
            if each.group != group:
                group = each.group
                app.console.print(("" if each is found[0] else "\n") + app.console.paint(group, "bold"))
            app.console.say(_line(app, each, max(len(one.name) for one in found)), indent=2)
    return 1 if any(each.needed and not each.fine for each in found) else 0


def _build() -> int:
    """Make llama.cpp be here, its progress on the terminal."""
    import subprocess  # its lines are for whoever waits, not for us

    return subprocess.run([sys.executable, str(llama_home()), "build"], stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603


def _line(app: App, each: Finding, width: int) -> str:
    mark = (
        app.console.paint("✓", "green")
        if each.fine
        else app.console.paint("✗", "red")
        if each.needed
        else app.console.paint("-", "dim")
    )
    mend = f"   {app.console.paint(each.mend, 'cyan')}" if each.mend and not each.fine else ""
    return f"{mark} {each.name.ljust(width)}  {each.says}{mend}"
