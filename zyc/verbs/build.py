"""`zyc build`: do what the plan says; keep what is already right."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import click

from zyc import agreed, past
from zyc.again import changes
from zyc.elsewhere import share
from zyc.errors import ZycError, problem
from zyc.fields import read_seconds
from zyc.front import Call, Front
from zyc.planning.plan import Decision
from zyc.preflight import add_pins, ask_hubs, flaws_by_node, flaws_of_place
from zyc.report import ended
from zyc.report import share as sharing
from zyc.report import told as tellers
from zyc.report.console import Unheard, data
from zyc.runner import Build, Ending, Event, Fate, Options, verdict_failed
from zyc.verbs import App, nodes, on_a_graph, the_remote

_END_OF_A_LOG = 65_536  # bytes: a log may be larger than what there is of memory


@dataclass(frozen=True, slots=True)
class Work:
    """How a build is to go about it, and what it tells."""

    options: Options
    partial: bool = False
    every: bool = False
    push: bool = False
    besides: tuple[str, ...] = ()  # nodes that an earlier build left undone, whatever this one is about


def build_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a verb everything that says how a build goes about it, as one `Work`."""

    @wraps(function)
    def working(  # noqa: PLR0913  (one for each option)
        *args: object,
        keep_going: bool,
        retries: int,
        timeout: float | None,
        jobs: int | None,
        fresh: bool,
        partial: bool,
        every: bool,
        push: bool,
        **own: object,
    ) -> int:
        options = Options(keep_going=keep_going, retries=retries, timeout=timeout, jobs=jobs, fresh=fresh)
        return function(*args, work=Work(options, partial=partial, every=every, push=push), **own)

    verb: Callable[..., int] = working
    for option in (
        click.option("--all", "every", is_flag=True, help="Tell of kept nodes, too."),
        click.option("--push", is_flag=True, help="Send what is kept then to the remote; without it a remote is only read."),
        click.option("--partial", is_flag=True, help="Build what this machine can; tell of the rest."),
        click.option("--fresh", is_flag=True, help="Start from the beginning, whatever an earlier attempt left in state/."),
        click.option("--jobs", "-j", type=click.IntRange(1), metavar="N", help="At most N steps side by side."),
        click.option("--timeout", callback=_seconds, metavar="TIME", help="End a step that takes longer, such as `2 h`."),
        click.option("--retries", type=click.IntRange(0), default=0, metavar="N", help="Try a step that fails N times more."),
        click.option("--keep-going", "-k", is_flag=True, help="A failure stops only what stands on it."),
    ):
        verb = option(verb)
    return verb


def _seconds(_: Any, __: Any, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return read_seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("build")
@nodes()
@click.option("--frozen", is_flag=True, help="Add no pin to zyc.lock; one that is missing is an error.")
@click.option(
    "--plan", "plan_file", metavar="FILE", help="Run exactly the plan that `zyc plan --out FILE` wrote, or say what moved."
)
@click.option("--remote", default="", metavar="REMOTE", help="Take results of others: a name of the site, a URL, a folder.")
@build_options
@on_a_graph
def command(app: App, call: Call, *, plan_file: str | None, work: Work) -> int:
    """Build what is missing or changed, side by side as far as the machine goes; results stand in artifacts/nodes/.

    After a step failed nothing new is started; `--keep-going` builds all that does not stand on it. Ctrl-C lets the
    steps keep a state and end, a second one kills them; what is done is kept, and the next build goes on.

    \b
    zyc build specs/hello.yml
    zyc build page --set vars.name=moon
    zyc build specs/ --keep-going --retries 2 --timeout "2 h"
    zyc build --plan agreed.json
    zyc build specs/ --remote team   what others built is fetched
    zyc build specs/ --frozen        in CI: no pin may be missing
    """
    promise = None
    if plan_file is not None:
        if replace(call, frozen=False) != Call():
            raise ZycError(problem("plan-and-nodes", file=plan_file))
        promise = agreed.read(app.world.read(app.here / plan_file), plan_file)
        call = replace(promise.call, frozen=call.frozen)
    return build(app, call, work, promise=promise)


def build(app: App, call: Call, work: Work, *, promise: agreed.Agreed | None = None, again: str = "") -> int:
    """Build until nothing is left: a search chooses its next member once it knows more."""
    front = app.open(call)
    if work.push:
        front.call = replace(call, remote=the_remote(front, call.remote, verb="zyc build --push"))
        front.remote_at(front.call.remote, create=True)
    if promise is not None:
        moved = agreed.moved(promise, front.plan)
        if moved:
            raise ZycError(moved)
    ask_hubs(front)
    began = front.world.monotonic()
    endings: dict[str, Ending] = {}
    decisions: dict[str, Decision] = {}  # as they were when each node was first planned
    stopped = False
    while True:
        decisions = {**front.plan.decisions, **decisions}
        failed = {name: each.reason for name, each in endings.items() if each.fate is Fate.FAILED}
        done = _once(app, front, work, failed)
        left = done.left
        # what ran for a search's last member is kept by now, and ran all the same; what failed is not tried in each round
        endings |= {
            name: each
            for name, each in done.endings.items()
            if name not in endings or (each.fate is not Fate.KEPT and name not in failed)
        }
        fates = {each.fate for each in done.endings.values()}
        app.acted = app.acted or bool(fates - {Fate.KEPT}) or any(each.fetched for each in done.endings.values())
        over = Fate.INTERRUPTED in fates or (Fate.FAILED in fates and not work.options.keep_going)
        if not front.compiled.graph.searches or left or over or not _goes_on(front, done):
            break
        if done.pressed:  # what ran came to its end all the same; the rest of the search did not
            stopped, left = True, [name for name in done.held if name in decisions]
            break
    took = front.world.monotonic() - began
    unsent = app.json and work.push and not _push(app, front)  # for programs, `done` is the last
    if app.json:
        counts = {fate.value: sum(1 for each in endings.values() if each.fate is fate) for fate in Fate}
        saved = round(ended.saved_seconds(endings), 3)
        done_event = {"event": "done", "counts": counts, "left": len(left), "seconds": round(took, 3), "saved": saved}
        app.console.print(data(done_event))
    else:
        afresh = {node.name for node in front.compiled.graph.nodes() if not node.shape.resumes}
        after = ended.Next(call, again or words_of(call), afresh)
        ended.summary(app.console, endings, decisions, after, left=len(left), took=took)
        unsent = work.push and not _push(app, front)
    app.close()
    if stopped or any(each.fate is Fate.INTERRUPTED for each in endings.values()):
        return 130
    return 1 if verdict_failed(endings) or left or unsent else 0


def _goes_on(front: Front, done: Build) -> bool:
    """Whether a search has chosen another member, now that it knows more, or something waits for what is known now."""
    before = set(front.graph.vertices)
    front.forget()
    new = any(each.fate in (Fate.RAN, Fate.RESUMED) or each.fetched for each in done.endings.values())
    return set(front.graph.vertices) != before or (bool(done.held) and new)


def _push(app: App, front: Front) -> bool:
    """Send all that the call is about and that is kept now, for others; whether that went well."""
    front.forget()
    assert front.remote is not None
    names = {node.name for node in front.graph.nodes()}
    shares = share.push_nodes(front, front.remote, names, lambda _: None)
    if app.json:
        told = sharing.as_data(shares, remote=front.remote.name, dry_run=False, unsent=[])
        app.console.print(data({"event": "push", **told}))
    else:
        sharing.summary(app.console, shares, remote=front.remote.name, absent="not here", dry_run=False)
    return not any(each.fate is share.Fate.FAILED for each in shares)


def _of_it(name: str, message: str) -> str:
    """What is said of a node where its name stands before it: `it cannot run on this machine`."""
    return f"it{message.removeprefix(f'`{name}`')}" if message.startswith(f"`{name}`") else message


def words_of(call: Call) -> str:
    """The call as one would type it again."""
    words = ["zyc", "build", *call.select]
    words += [word for each in call.exclude for word in ("--exclude", each)]
    words += ["--remote", call.remote] if call.remote else []
    return shlex.join([*words, *changes(call)])


@dataclass
class _Steady:
    """Tells as long as somebody can be told: a reader that left wants no more; whatever else it is, the build goes on."""

    told: Callable[[Event], None]
    before: Container[str]  # nodes that were told of in an earlier round
    trouble: Exception | None = None  # to be raised when all is done: a step of hours is worth more than a line
    stop: Callable[[], None] = lambda: None

    def __call__(self, event: Event) -> None:
        if self.trouble is not None or (isinstance(event, Ending) and event.node in self.before):
            return
        try:
            self.told(event)
        except Exception as error:  # noqa: BLE001
            self.trouble = error
            if isinstance(error, Unheard):
                self.stop()


def _once(app: App, front: Front, work: Work, failed: Mapping[str, str]) -> Build:
    """Build the graph as it is now, but for what failed in an earlier round."""
    plan = front.plan
    flaws = flaws_by_node(front, plan)
    fatal = [*flaws_of_place(front, plan), *(each for them in flaws.values() if not work.partial for each in them)]
    if fatal:
        raise ZycError(dict.fromkeys(fatal))
    for name in add_pins(front, plan):
        app.acted = True
        app.console.note(f"zyc.lock: pinned {name} {plan.settlement.known.pins[name]}")

    def log(path: str) -> str:
        with suppress(OSError):  # a log that cannot be shown must not end the build
            return front.world.tail(front.project.root / path, most=_END_OF_A_LOG).decode("utf-8", "replace")
        return ""

    lacking = {name: _of_it(name, them[0].message) for name, them in flaws.items()}
    options = replace(work.options, lacking={**lacking, **failed})
    told = tellers.teller(
        app.console, plan, log, clock=front.world.monotonic, as_json=app.json, every=work.every, options=options
    )
    steady = _Steady(told, failed)
    made = Build(front, plan, steady, options=options)
    steady.stop = made.press
    remembered, concerned = None, dict.fromkeys([*plan.decisions, *work.besides])
    if plan.changes or plan.fetches:
        remembered = past.begin(made.world, front.project, front.call, concerned)
    with told:
        made.run()
        if remembered is not None:
            good = (Fate.KEPT, Fate.RAN, Fate.RESUMED)
            undone = [name for name in concerned if name not in made.endings or made.endings[name].fate not in good]
            past.end(made.world, front.project, remembered, undone)
        if steady.trouble is not None:
            raise steady.trouble
    return made
