"""The part `assistant` of a bundle: what it understands, what its tools do, what fits into its context, what a person sees."""

import ast
import json
import os
import sys
import time

import pytest
from assisted import AT, TEMPLATES, TOOLS, Scene, package
from golden import Rendering

PARTS = TEMPLATES / "deployment/parts/assistant"


@pytest.fixture(scope="module")
def modules():
    """The package as a bundle has it."""
    with package() as found:
        yield found


@pytest.fixture
def scene(modules, tmp_path):
    """An assistant whose model says what it is told to."""
    return lambda *answers, **more: Scene(modules, tmp_path / "home", *answers, **more)


# --- calls ---


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ('<CALL:add_todo text="acheter du pain" when="demain">', "add_todo", {"text": "acheter du pain", "when": "demain"}),
        (r'<CALL:note text="un \"mot\" \\ > un autre">', "note", {"text": r'un "mot" \ > un autre'}),
        ('<CALL:timer minutes=5 label="thé vert">', "timer", {"minutes": "5", "label": "thé vert"}),
        ('<CALL:timer {"minutes": 5, "label": "a > b"}>', "timer", {"minutes": "5", "label": "a > b"}),
        ("<CALL:now>", "now", {}),
        ('<CALL:note text="<CALL:delete_file>">', "note", {"text": "<CALL:delete_file>"}),
    ],
)
def test_a_call_is_read_to_the_letter(modules, text, name, arguments):
    """Pairs in quotes, single words and JSON give the same: a name and texts."""
    (call,) = modules.calling.calls(text)
    assert (call.name, call.arguments, call.text) == (name, arguments, text)
    assert modules.calling.calls(modules.calling.written(name, arguments))[0].arguments == arguments


@pytest.mark.parametrize(
    "text",
    [
        "<CALL:note",
        '<CALL:note text="',
        '<CALL:note text="a" text="b">',
        '<CALL:note {"text": "a", "text": "b"}>',
        '<CALL:note {"text": ["a"]}>',
        '<CALL:note {"text": null}>',
        '<CALL:note {"text": ' + "[" * 5_000 + "}>",
        '<CALL:note text="a\\n">',
        "<CALL:note un deux>",
        "<CALL: note>",
        "<CALL:Note>",
        "<CALL:note <CALL:now>>",
        '<CALL:note text="<CALL:now>',
        "<CALL:note text=" + "a" * 20_000 + ">",
    ],
)
def test_what_is_no_call_is_broken_and_nothing_is_guessed(modules, text):
    """A broken call says why, and no call inside it counts."""
    assert modules.calling.calls(text) == []
    assert any(isinstance(each, modules.calling.Broken) and each.why for each in modules.calling.pieces(text))


# --- values ---


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "5", 5),
        ("number", "2,5", 2.5),
        ("date", "2026-12-24", "2026-12-24"),
        ("date", "24/12/2026", "2026-12-24"),
        ("date", "demain", "2026-11-28"),
        ("date", "Vendredi", "2026-12-04"),
        ("date", "lundi prochain", "2026-11-30"),
        ("time", "18h", "18:00"),
        ("time", "7:05", "07:05"),
        ("path", "courses/été.txt", "courses/été.txt"),
        ("text", "l'été 👩‍🍳", "l'été 👩‍🍳"),
    ],
)
def test_a_text_becomes_a_value_of_its_type(modules, kind, text, value):
    """Days and times are told in the words that people use; the value is always in one form."""
    assert modules.values.value_of(modules.values.Argument("a", kind), text, today=AT.date()) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "5.0"), ("integer", "1e3"), ("integer", "٣"), ("integer", "9" * 20), ("integer", ""),
        ("number", "nan"), ("number", "inf"), ("number", "0x10"), ("number", "1_000"),
        ("date", "2026-02-30"), ("date", "hier"), ("time", "25:00"), ("time", "18"),
        ("text", "  "), ("text", "a\x00b"), ("text", "a\x1b[2Jb"), ("text", "a\u202eb"), ("text", "a" * 2_001),
        ("text", "\ud800"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused(modules, kind, text):
    """Nothing is rounded, shortened or guessed."""
    with pytest.raises(modules.values.Wrong):
        modules.values.value_of(modules.values.Argument("a", kind), text, today=AT.date())


def test_choices_and_bounds_hold(modules):
    """A choice is one of the list, in whatever way its accents are written; a number is within its bounds."""
    level = modules.values.Argument("a", "choice", choices=("été", "hiver"))
    assert modules.values.value_of(level, "e\u0301te\u0301") == "été"
    few = modules.values.Argument("a", "integer", least=1, most=3)
    for argument, text in ((level, "Hiver"), (few, "0"), (few, "4")):
        with pytest.raises(modules.values.Wrong):
            modules.values.value_of(argument, text)


# --- the file of tools ---


def test_all_that_is_wrong_with_the_tools_is_told_at_once(modules):
    """Each fault is a sentence with the words of the file."""
    wrong = {
        "tools": {
            "Bad": {},
            "fly": {},
            "note": {"abuot": "x", "confirm": "yes", "timeout": "1 day"},
            "read_file": {"arguments": {"file": "path"}},
            "say": {"command": ["sh", "-c", "echo {text}"], "arguments": {"text": "text"}},
            "any": {"command": ["{program}"], "arguments": {"program": "text"}},
            "batch": {"command": ["x.bat", "{a}"], "arguments": {"a": "text", "b": "texte"}},
            "pick": {"command": ["x", "{a}"], "arguments": {"a": "choice"}},
        },
        "tool": 1,
    }
    with pytest.raises(modules.toolbox.Faulty) as told:
        modules.toolbox.of(wrong, confirm=["now"])
    said = "\n".join(told.value.faults)
    for part in (
        "`tool` is no field", "`Bad` is no name", "`fly` runs nothing", "no field `abuot`", "neither true nor false", "`timeout`",
        "`file`, which `read_file` has no use for", "needs the argument `path`", "hands what the model writes to `sh`",
        "lets the model choose the program", "runs a batch file", "the type `texte`", "no `choices` for `a`", "no such tool",
    ):  # fmt: skip
        assert part in said, part


@pytest.mark.parametrize("program", ["bash", "/bin/sh", "python3.11", "C:\\Windows\\System32\\cmd.exe", "pwsh", "env"])
def test_no_shell_is_handed_what_a_model_writes(modules, program):
    """Whatever a shell or an interpreter is called, a value never becomes part of its program."""
    tool = {"command": [program, "{a}"], "arguments": {"a": "text"}}
    with pytest.raises(modules.toolbox.Faulty, match="read it as a program"):
        modules.toolbox.of({"tools": {"x": tool}})


def test_what_cannot_be_taken_back_is_always_asked_about(modules):
    """A file that forgets `confirm` for such a tool does not take the question away; `confirm` of the bundle adds to it."""
    tools = modules.toolbox.of(
        {"tools": {"delete_file": None, "clear_todos": {"confirm": False}, "note": None}}, confirm=["note"]
    )
    assert all(each.asks for each in tools.values())


def test_yaml_is_read_as_json_is(modules, tmp_path):
    """The short form of an argument is its type; a built-in tool keeps the type that it needs."""
    path = tmp_path / "tools.yml"
    path.write_text("tools:\n  read_file: {about: Lit., arguments: {path: text}}\n  stop: {runs: clear_todos}\n")
    tools = modules.toolbox.read(path)
    assert tools["read_file"].arguments[0].type == "path"
    assert tools["read_file"].line() == "read_file(path: path) - Lit."
    assert tools["stop"].runs == "clear_todos"


# --- the loop ---


def test_several_calls_run_in_their_order_and_their_results_come_back(scene):
    """Each result is a turn of its own, and the model phrases the answer."""
    here = scene('<CALL:add_todo text="pain" when="demain">\n<CALL:list_todos>', "C'est noté.")
    reply = here.ask("Note le pain pour demain.")
    assert reply.text == "C'est noté."
    assert here.ran() == ["add_todo", "list_todos"]
    assert [(each["role"], each["content"]) for each in here.model.read[1][2:]] == [
        ("assistant", '<CALL:add_todo text="pain" when="demain">\n<CALL:list_todos>'),
        ("tool", "ok"),
        ("tool", "pain (2026-11-28)"),
    ]


def test_the_conversation_is_remembered_until_it_is_forgotten(scene):
    """Earlier turns stand before the next question."""
    here = scene("Bonjour.")
    here.ask("Salut")
    here.ask("Encore")
    assert [each["content"] for each in here.model.read[1]] == ["Tu es Jarvis.", "Salut", "Bonjour.", "Encore"]
    here.assistant.forget()
    here.ask("Et là")
    assert len(here.model.read[2]) == 2


def test_every_builtin_does_what_it_says(scene):
    """Tasks, notes, files, sums and timers, one after the other, with their ends told in the fixed words."""

    def done(call, yes=()):
        here = scene(call, "fin", yes=yes)
        here.ask()
        return here.events("ended")[-1]

    assert done('<CALL:list_todos about="pain">')["text"] == "rien"
    assert done('<CALL:note text="la clé est dans le bureau">')["text"] == "ok"
    assert done('<CALL:search_notes query="où est la clé ?">')["text"] == "la clé est dans le bureau"
    assert done('<CALL:search_notes query="xyzzy">')["text"] == "rien"
    assert done('<CALL:write_file path="a/b.txt" text="un\ndeux">', yes={"write_file"})["text"] == "ok"
    assert done('<CALL:read_file path="a/b.txt">')["text"] == "un\ndeux"
    assert done('<CALL:delete_file path="a/b.txt">', yes={"delete_file"})["text"] == "ok"
    assert done('<CALL:read_file path="a/b.txt">')["status"] == "missing"
    assert done('<CALL:calculator expression="(2+3)*4^2 / 8">')["text"] == "10"
    assert done('<CALL:calculator expression="9**9**9">')["status"] == "failed"
    assert done("<CALL:calculator expression=\"__import__('os')\">")["status"] == "failed"
    assert done('<CALL:add_todo text="pain">')["text"] == "ok"
    assert done('<CALL:clear_todos about="PAIN">', yes={"clear_todos"})["text"] == "ok"
    assert done("<CALL:list_todos>")["text"] == "rien"


def test_a_timer_is_told_once_it_is_over(scene, modules):
    """It survives the end of the program, and is told once."""
    here = scene('<CALL:timer minutes=5 label="thé">', "ok")
    here.ask()
    assert modules.doing.due(here.desk) == []
    here.desk.clock = lambda: AT.fromtimestamp(AT.timestamp() + 301, AT.tzinfo)
    assert modules.doing.due(here.desk) == ["thé"]
    assert modules.doing.due(here.desk) == []


@pytest.mark.slow
def test_an_application_is_opened_and_closed(scene):
    """Only one that is listed is opened, and only what was opened here is closed."""
    here = scene('<CALL:open_app name="lecteur">', "ok")
    here.ask()
    (started,) = here.desk.started["lecteur"]
    assert started.poll() is None
    here.model.answers = ['<CALL:close_app name="lecteur">', "ok"]
    here.yes = {"close_app"}
    here.ask("Ferme.")
    assert started.poll() is not None
    here.model.answers = ['<CALL:open_app name="calc">', "ok"]
    assert "aucune de ces valeurs : lecteur" in here.ask("Ouvre.").notices[0]


# --- programs of the user ---


def command(*parts, **more):
    """A file of tools with one program."""
    arguments = {"a": "text"} if any("{a}" in each for each in parts) else {}
    return {"tools": {"go": {"command": list(parts), "arguments": arguments, **more}}}


def program(tmp_path, text):
    """A program of the user's, by its path."""
    path = tmp_path / "go.py"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return str(path)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a script that starts by its first line")
def test_a_program_gets_each_value_as_one_argument(scene, tmp_path):
    """No shell reads it, whatever it holds; the program runs in the folder, without the rest of the environment."""
    path = program(tmp_path, "import os, sys\nprint(sys.argv[1:], os.getcwd(), 'SECRET' in os.environ)")
    os.environ["SECRET"] = "1"
    try:
        here = scene('<CALL:go a="x; rm -rf / $(id) `id` && \'">', "fin", tools=command(path, "{a}"))
        here.ask()
    finally:
        del os.environ["SECRET"]
    assert here.events("ended")[0]["text"] == f'["x; rm -rf / $(id) `id` && \'"] {here.files.resolve()} False'


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a script that starts by its first line")
def test_a_program_that_takes_too_long_is_ended_with_its_children(scene, tmp_path):
    """The time limit holds for all that it started."""
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(1.2); pathlib.Path({str(mark)!r}).touch()"
    path = program(tmp_path, f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)")
    here = scene("<CALL:go>", "fin", tools=command(path, timeout=0.4))
    began = time.monotonic()
    here.ask()
    assert time.monotonic() - began < 30
    assert here.events("ended")[0]["status"] == "late"
    time.sleep(1.4)
    assert not mark.exists()


@pytest.mark.parametrize("value", ["-rf", "--output=x", "@file"])
def test_a_value_is_never_taken_for_an_option(scene, value):
    """A value that begins like an option is refused, unless the command says `--` before it."""
    here = scene(f'<CALL:go a="{value}">', "fin", tools=command("echo", "{a}"))
    here.ask()
    assert here.events("ended")[0]["status"] == "failed"
    assert "option" in here.events("ended")[0]["why"]


def test_a_tool_that_hangs_is_left_after_its_time(scene, modules, monkeypatch):
    """A built-in one, too, has a time limit."""
    monkeypatch.setitem(modules.doing.TOOLS, "note", lambda _desk, **_values: time.sleep(2))
    here = scene('<CALL:note text="a">', "fin", tools={"tools": {"note": {"timeout": 0.1}}})
    here.ask()
    assert here.events("ended")[0]["status"] == "late"


# --- the context ---


def test_what_does_not_fit_is_left_out_in_order_and_said(scene, modules):
    """Earlier turns go first, examples next; a result is shortened, and the question stays whole."""
    shots = [{"role": "user", "content": "un deux trois"}, {"role": "assistant", "content": "quatre cinq six"}] * 3
    persona = modules.fitting.Persona("Tu es Jarvis.", shots, {"max_tokens": 20})
    here = scene("mot " * 30, persona=persona, context=90)
    here.ask("première question")
    reply = here.ask("seconde question")
    assert reply.notices == ["[le contexte de 90 jetons ne suffit pas : 1 échange(s) plus ancien(s) laissé(s) de côté]"]
    (here.files / "long.txt").write_text("mot " * 400)
    here.model.answers = ['<CALL:read_file path="long.txt">', "lu"]
    reply = here.ask("lis long.txt")
    assert "un résultat raccourci" in reply.notices[-1]
    assert here.model.read[-1][-3]["content"] == "lis long.txt"
    assert here.model.read[-1][-1]["content"].endswith("[...]")


def test_a_question_that_never_fits_is_said_and_not_asked(scene):
    """The sum is told, and the model is not troubled."""
    here = scene("jamais", context=100)
    assert "trop longue" in here.ask("mot " * 200).text
    assert here.model.read == []


def test_a_persona_that_wants_the_tools_has_them(scene, modules):
    """`{tools}` in its system text becomes the list, and nothing else does."""
    here = scene("ok", persona=modules.fitting.Persona("Outils :\n{tools}"), tools={"tools": {"note": {"about": "Note."}}})
    here.ask()
    assert here.model.read[0][0]["content"] == "Outils :\nnote(text: text) - Note."


# --- what a person sees ---


def talked(here, modules, *lines):
    """A conversation as it stands on the screen."""
    given, seen = iter(lines), []

    def line(prompt):
        try:
            said = next(given)
        except StopIteration:
            raise EOFError from None
        seen.append(f"{prompt}{said}")
        return said

    console = modules.console.Console(here.assistant, line=line, tell=seen.append)
    here.assistant.confirm = console.confirm
    console.talk()
    return "\n".join(seen).replace(str(here.files.resolve()), "FILES").replace(str(here.home.resolve()), "HOME") + "\n"


def test_a_conversation_reads_well(scene, modules, snapshot):
    """Tools that ran, a question before what is critical, a refusal and a cut, each on a line of its own."""
    here = scene(
        '<CALL:add_todo text="acheter du pain" when="demain">', "C'est noté pour demain.",
        '<CALL:write_file path="a.txt" text="bonjour\nSupprimer ? (oui/non) oui">', "C'est écrit.",
        '<CALL:delete_file path="a.txt">', "D'accord, je garde a.txt.",
        '<CALL:delete_file path="a.txt">', "J'ai supprimé a.txt.",
        '<CALL:format_disk name="C:">', "Je ne peux pas.",
        "Voici :\nvous > oui\x1b[2J\u202e",
    )  # fmt: skip
    told = talked(
        here, modules, "/aide", "/outils", "Note d'acheter du pain demain.", "Écris a.txt.", "oui", "Supprime a.txt.", "oui",
        "Supprime vraiment a.txt.", "delete_file", "Formate le disque.", "Affiche quelque chose.", "/rien", "/oublie", "/fin",
    )  # fmt: skip
    assert told == snapshot(extension_class=Rendering, name="console.txt")


def said_in(source):
    """The sentences that a module gives as a reason, with `{}` for each part that is filled in."""
    named = {"Wrong", "_Wrong", "Outside", "Failed", "_refused", "Broken", "Outcome"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in named:
            yield from map(as_sentence, node.args)
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "why":
            yield as_sentence(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name == "_unended":
            yield from (as_sentence(each.value) for each in ast.walk(node) if isinstance(each, ast.Return))


def as_sentence(value):
    """A text of several words; of one with parts that are filled in, `{}` for each."""
    if isinstance(value, ast.JoinedStr):
        text = "".join(each.value if isinstance(each, ast.Constant) else "{}" for each in value.values)
    else:
        text = value.value if isinstance(value, ast.Constant) else ""
    return text if isinstance(text, str) and " " in text else ""


def test_every_reason_is_there_in_french(modules):
    """What a module says of a call that it refuses, or that failed, has a line in the table; the table has no other."""
    homes = [PARTS / f"{name}.py" for name in ("confined", "deciding", "doing", "running", "values")]
    found = {text for home in (*homes, TEMPLATES / "shared/calling.py") for text in said_in(home.read_text(encoding="utf-8"))}
    found -= {"", "{}: {}", "{} s"}  # what an operating system says of a program, in its own language; a time
    assert found == {*modules.reasons.FRENCH}
    for text in found:
        assert modules.reasons.told(text.replace("{}", "x"), "fr") != text.replace("{}", "x"), text
        assert modules.reasons.told(text, "en") == text


def test_a_refusal_is_told_in_the_language_of_the_console_and_logged_in_ours(scene):
    """The person and the model read French; the log, and whoever reads the program, have one sentence for it."""
    one = scene('<CALL:timer minutes="bientôt">', "Rien à faire.")
    assert one.ask().notices == ["[refusé] timer : `minutes` : ce n'est pas un nombre entier"]
    assert one.events("refused")[0]["why"] == "`minutes`: it is no whole number"
    other = scene(f'<CALL:note text="{"a" * 2001}">', "Rien à faire.")
    assert other.ask().notices == ["[refusé] note : `text` : 2\u202f001 caractères, et 2\u202f000 au plus sont permis"]


def test_the_log_is_only_added_to(scene):
    """A second conversation goes on behind the first; each line is JSON with its time."""
    here = scene("Bonjour.")
    here.ask()
    first = here.log.path.read_bytes()
    again = scene("<CALL:rm>", "Non.")
    again.ask()
    assert again.log.path.read_bytes().startswith(first)
    assert [each["event"] for each in again.events()] == ["asked", "answered", "asked", "refused", "answered"]
    assert all(each["at"] == AT.isoformat(timespec="seconds") for each in again.events())


def test_without_a_log_nothing_runs(scene):
    """What cannot be written down is not done."""
    here = scene('<CALL:note text="a">', "fin")
    here.log.path.mkdir()
    with pytest.raises(OSError, match="log"):
        here.ask()
    assert here.desk.rows("notes") == []


def test_voice_says_what_it_needs(modules, tmp_path, monkeypatch):
    """Without its packages and models, each is named with the command that gets it."""
    monkeypatch.setattr(modules.voice.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.delenv("ASSISTANT_VOICE", raising=False)
    with pytest.raises(SystemExit) as told:
        modules.voice.Voice(tmp_path)
    said = str(told.value).replace(str(tmp_path), "HOME")
    assert "pip install faster-whisper piper-tts sounddevice" in said
    assert "python -m piper.download_voices fr_FR-siwis-medium --download-dir HOME/voice" in said
    assert "faster_whisper.download_model('small', output_dir=r'HOME/voice/whisper-small')" in said


def test_the_folder_of_the_tools_holds_nothing_of_the_assistant(modules, tmp_path):
    """A folder that holds the log, the home or the program is refused at start."""
    words = modules.words.words("fr")
    for place in (".", "..", str(tmp_path / "program"), str(tmp_path / "program/assistant"), str(tmp_path)):
        with pytest.raises(SystemExit, match="folder"):
            modules.desk.opened(tmp_path / "program/home", place, inside=tmp_path / "program", words=words)


def test_a_home_that_cannot_be_written_is_told(modules, tmp_path):
    """Where the bundle is nobody's to write, the next step is to name a home."""
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="help: name a home"):
        modules.desk.opened(tmp_path / "file/home", "files", inside=tmp_path / "program", words=modules.words.words("en"))


def test_json_of_the_tools_is_what_the_file_says(modules):
    """The tools of these tests are a file that the assistant itself accepts."""
    assert modules.toolbox.of(json.loads(json.dumps(TOOLS)))["delete_file"].critical
