"""The table of verbs: each is a small module, imported when it is called; wrong calls and wrong specs end here, in words."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from zyc import __version__, memo
from zyc.errors import ZycError, nearest, problem
from zyc.report.console import STANDARD_OUTPUT, Console, Unheard
from zyc.verbs import App

# verb -> (what it is for, whether the same call over an unchanged project says the same)
VERBS: dict[str, dict[str, tuple[str, bool]]] = {
    "look": {
        "plan": ("what would happen to each node, why, how long, and whether it fits", True),
        "why": ("the exact field, file or tool that makes a node run again, or keeps it", True),
        "fit": ("the changes that make every gate of a node hold, one row each", True),
        "ls": ("the nodes, by name, kind, file, tag or state", True),
        "show": ("one node: its fields, inputs, files, measures, gates", True),
        "ledger": ("the forms of a model up to a node, and how far each is from the one before", True),
        "diff": ("two models tensor by tensor, and the hop at which they parted", False),
        "report": ("the whole graph as one page, with all that was measured; training reports beside it", False),
        "logs": ("what the step of a node said, while it runs or after", False),
        "graph": ("the graph as a text tree, mermaid, dot or JSON", True),
        "check": ("the specs only: what CI runs when a spec changes", True),
    },
    "do": {
        "build": ("do what the plan says; keep what is already right", True),
        "retry": ("go on with what the last build left undone", False),
        "render": ("write the graph as folders with scripts that run without zyc; or one node as a notebook or a job", False),
        "ask": ("put a question to a kept model; `--along` to each of its forms, side by side", False),
        "serve": ("run the bundle of a deployment here", False),
        "chat": ("talk with a deployment, a quant or a model in the terminal", False),
        "deploy": ("show what a deployment would send and where; `--yes` sends it", False),
        "adopt": ("take in what a rendered notebook or job made elsewhere", False),
        "lock": ("pin what can move, or move a pin", False),
    },
    "share": {
        "push": ("send what is kept here to a remote, for others", False),
        "pull": ("bring what others built, from a remote", False),
    },
    "look after": {
        "accept": ("let the kept output of a node stand for its new key", False),
        "verify": ("read all that is kept again; tell what is damaged, or put it aside", False),
        "gc": ("free what no project needs, and say what that is", False),
    },
    "set up": {
        "init": ("start a project that plans and builds", False),
        "import": ("a configuration of another tool as a spec", False),
        "doctor": ("what this machine has and lacks, and the command that mends it", False),
        "schema": ("the JSON Schema of spec files, for editors", False),
        "completion": ("completion for bash, zsh or fish", False),
    },
}


class Verbs(click.Group):
    """Verbs by their names, without importing those that are not called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of the table."""
        return [verb for group in VERBS.values() for verb in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The module of a verb holds its command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"zyc.verbs.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """A verb that nobody has: the nearest one is named."""
        from zyc.errors import nearest

        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            close = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(f"no verb `{args[0]}`" + (f"; did you mean `{close}`?" if close else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, as people read it."""
        for title, group in VERBS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, told) for verb, (told, _) in group.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="zyc %(version)s")
def zyc() -> None:
    """Turn YAML into language models.

    \b
    zyc plan specs/                what would happen, and why
    zyc build specs/hello.yml      do it; keep what is already right
    zyc why page                   what makes a node run again
    """


def run(words: Sequence[str]) -> int:
    """One call, to its exit code."""
    began = memo.clock()
    world = memo.Watching()
    console = Console.of_process(record=True)
    console.lines = words[:1] == ["build"]
    try:
        here = Path.cwd()
    except FileNotFoundError:
        here = Path("/")
    app = App(world, console, here)
    code = _called(app, words or ("--help",))
    verb = next((word for word in words if not word.startswith("-")), "")
    pure = any(group[verb][1] for group in VERBS.values() if verb in group)
    helped = bool({"-h", "--help"} & {*words})  # click prints that past the console
    if pure and not helped and not app.acted and code in (0, 1, 3):
        memo.save(words, world, began, out=console.printed, err=console.noted, code=code)
    return code


def _called(app: App, words: Sequence[str]) -> int:
    from zyc.report import problems

    try:
        result = zyc.main(args=list(words), prog_name="zyc", standalone_mode=False, obj=app)
    except ZycError as error:
        return problems.tell(app.console, app.files(), error.problems, json=app.json)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.Abort:
        return 130
    except KeyboardInterrupt:
        app.console.note("interrupted")
        return 130
    except click.ClickException as error:
        return _misused(app, error, words)
    except (Unheard, SystemExit):  # click, too, leaves when nobody reads its help
        app.acted = True  # what was printed is not all that there is to say
        # Python would complain once more when it closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 130 if words[:1] == ["build"] else 0
    except OSError as error:
        if error.filename is None or error.errno is None:
            raise
        told = problem("machine-refuses", path=os.path.relpath(error.filename), reason=error.strerror or "")
        return problems.tell(app.console, app.files(), [told], json=app.json and error.filename != STANDARD_OUTPUT)
    return result if isinstance(result, int) else 0


def _misused(app: App, error: click.ClickException, words: Sequence[str]) -> int:
    context = getattr(error, "ctx", None)
    said = _said(error, context)
    verb = next((f" {word}" for word in words[:1] if any(word in group for group in VERBS.values())), "")
    hint = f"`{context.command_path if context is not None else f'zyc{verb}'} --help` shows what there is"
    if "--json" in words:
        app.console.json({"errors": [{"code": "bad-call", "message": said, "help": hint, "places": []}]})
    else:
        app.console.note(f"error: {said}\nhelp: {hint}")
    return 2


def _said(error: click.ClickException, context: click.Context | None) -> str:
    """What is wrong with a call, in the words of our other errors."""
    if isinstance(error, click.NoSuchOption):
        options = [name for each in context.command.params for name in each.opts if name.startswith("--")] if context else []
        close = nearest(error.option_name, options)
        return f"no option `{error.option_name}`" + (f"; did you mean `{close}`?" if close else "")
    if isinstance(error, click.MissingParameter) and context is not None and error.param is not None:
        return f"`{context.command_path}` wants {error.param.make_metavar(context)}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"`{error.param.opts[0]}`: {error.message.rstrip('.').replace(chr(39), '`')}"
    extra = re.fullmatch(r"Got unexpected extra arguments? \((.*)\)", error.format_message())
    if extra is not None and context is not None:
        return f"`{context.command_path}` does not take `{extra[1]}`"
    message = error.format_message().rstrip(".").replace("'", "`")
    return message[:1].lower() + message[1:]


def learn_words() -> None:
    """Teach the shell this project's words; whatever is wrong with its specs, a shell that completes wants silence."""
    from zyc import complete
    from zyc.front import Call, open_front, save_kept
    from zyc.world import World

    context = click.Context(zyc)
    verbs = {verb: _options(zyc.get_command(context, verb)) for verb in zyc.list_commands(context)}
    try:
        world = memo.Watching()
        front = open_front(world, Path.cwd(), Call(), context=memo.source_digest())
        names = [*front.compiled.declared, *(source.file for source in front.sources)]
        profiles = [each.rsplit(".", 1)[0] for each in World().list(front.project.root / "specs" / "profiles")]
    except (ZycError, OSError):
        return
    for options in verbs.values():
        if "--profile" in options:
            options["--profile"] = profiles or ["-"]
    watched = [path for path, was in world.seen.items() if was is not None and f"{os.sep}specs" in path]
    complete.learn(str(front.project.root), verbs, names, watched)
    save_kept(front)


def _options(command: click.Command | None) -> dict[str, list[str]]:
    """The options of a verb and what may follow them: nothing is a name, `-` is nothing."""
    told: dict[str, list[str]] = {}
    for each in command.params if command is not None else ():
        if isinstance(each, click.Argument):
            told |= {"NODES": []} if each.name in ("select", "node") else {}
        else:
            choices = list(each.type.choices) if isinstance(each.type, click.Choice) else ["-"]
            for name in each.opts:
                told[name] = [] if name in ("--exclude", "--set") else choices
    return told
