"""What all verbs share: the call's world and console, and the options that narrow or change a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path

import click

from zyc import memo
from zyc.errors import ZycError, listing, problem
from zyc.front import Call, Front, open_front, save_kept
from zyc.place import site as sites
from zyc.report.console import Console
from zyc.world import World


@dataclass
class App:
    """One call of zyc."""

    world: World
    console: Console
    here: Path
    json: bool = False  # errors are told as data, too
    acted: bool = False  # something was changed, so the same call again may say something else
    front: Front | None = None

    def open(self, call: Call) -> Front:
        """The front half of the call."""
        self.front = open_front(self.world, self.here, call, context=memo.source_digest())
        return self.front

    def close(self) -> None:
        """Tell the warnings, and keep what the next call can use."""
        from zyc.report import problems

        if self.front is not None:
            problems.warn(self.console, self.files(), self.front.warnings)
            save_kept(self.front)

    def files(self) -> Callable[[str], str | None]:
        """The text of a spec by its name, for the lines that an error shows."""

        def text(file: str) -> str | None:
            if self.front is None:
                return None
            for source in self.front.__dict__.get("sources", ()):
                if source.file == file:
                    return str(source.text.decode("utf-8", "replace"))
            reading = self.front.reading
            try:
                # what a link leads to is not the project's to show
                return None if reading.leaves(file) else reading.read(file).decode("utf-8", "replace")
            except OSError:
                return None

        return text


nodes = partial(click.argument, "select", nargs=-1, metavar="[NODES]...")
some_nodes = partial(click.argument, "select", nargs=-1, metavar="NODES...", required=True)
one_node = partial(click.argument, "node", metavar="NODE")


def on_a_graph(function: Callable[..., int]) -> Callable[..., int]:
    """Give a verb everything that narrows or changes the graph, as one `Call`; the rest are its own options."""

    @wraps(function)
    def narrowed(  # noqa: PLR0913  (one for each option)
        *,
        as_json: bool,
        twin: bool,
        sets: tuple[str, ...],
        profile: str,
        exclude: tuple[str, ...],
        select: tuple[str, ...] = (),
        node: str = "",
        frozen: bool = False,
        remote: str = "",
        **own: object,
    ) -> int:
        app = click.get_current_context().obj
        assert isinstance(app, App)
        app.json = as_json
        return function(app, Call((node,) if node else select, exclude, profile, sets, twin, frozen, remote), **own)

    verb: Callable[..., int] = narrowed
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--twin", is_flag=True, help="The rehearsal: the same graph at toy size."),
        click.option(
            "--set", "sets", multiple=True, metavar="NODE.FIELD=VALUE", help="Override a field; `vars.NAME=VALUE` a var."
        ),
        click.option("--profile", default="", metavar="NAME", help="Lay specs/profiles/NAME.yml over the specs."),
        click.option("--exclude", multiple=True, metavar="NODES", help="Leave these out."),
    ):
        verb = option(verb)
    return verb


def asked(front: Front) -> frozenset[str]:
    """The nodes that a call names, once nothing is wrong with them."""
    return front.selection.names & front.graph.vertices.keys()


def the_remote(front: Front, text: str, *, verb: str) -> str:
    """The remote that a call names; when it names none, the only one of the site."""
    name = text or sites.only_remote(front.site)
    if not name:
        hint = listing(front.site.remotes, "one of") or "a folder or a URL; the site can name one: `remotes: {NAME: {url: ...}}`"
        raise ZycError(problem("no-remote", verb=verb, hint=hint))
    return name
