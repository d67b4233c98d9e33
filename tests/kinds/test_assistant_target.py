"""The target `assistant`: what its file of tools may say, what fits, and the bundle as it is started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import packed
import pytest
import tiny_models
from assisted import package
from standing import run, stand

from zyc.craft.deploying import tools
from zyc.errors import ZycError
from zyc.source import parse
from zyc.types import Model

PROJECT = """
tokenizers:
  my-pieces: {corpus: data/words.txt, vocab: 400, chat_template: chatml}
models:
  my-tiny: {scratch: {family: llama, layers: 2, heads: 2, width: 256, mlp: 256, context: 256}, tokenizer: my-pieces}
datasets: {my-data: {from: data/notes.txt, per: paragraph}}
indexes: {my-notes: {documents: my-data}}
prompts: {my-prompt: {system: Tu es Jarvis., sampling: {temperature: 0, max_tokens: 8}}}
deployments:
  my-helper:
    model: my-tiny
    prompts: my-prompt
    target: assistant
    index: my-notes
    context: 256
    assistant: {tools: data/tools.yml}
"""
TOOLS = """tools:
  note: {about: Ajoute une note.}
  search_notes:
  delete_file: {arguments: {path: text}}
  say: {command: [espeak, "--", "{text}"], arguments: {text: {type: text, max: 80}}, timeout: 5 s, confirm: true}
  open_app: {arguments: {name: text}, apps: {vlc: [vlc]}}
"""


def read(text):
    """What a file of tools says."""
    return tools.read(parse(text.encode(), "tools.yml").root)


def test_both_sides_know_the_same_tools():
    """What is checked when a plan is made is what the assistant checks when it starts."""
    with package() as modules:
        assert tools.BUILT_IN == modules.toolbox.BUILT_IN
        assert {*modules.doing.TOOLS} == {*tools.BUILT_IN}
        assert tools.TYPES == modules.values.TYPES
        assert modules.toolbox.SHELLS == tools.SHELLS
        assert {*tools.FIELDS} == modules.toolbox.FIELDS
        assert {*tools.OF_AN_ARGUMENT} == modules.toolbox.OF_AN_ARGUMENT
        found = modules.toolbox.of(json.loads(json.dumps({"tools": read(TOOLS)})))
        assert [each.name for each in found.values() if each.asks] == ["delete_file", "say"]
        assert found["open_app"].arguments[0].choices == ("vlc",)
        assert modules.toolbox.of({"tools": dict(tools.USUAL)}).keys() == tools.USUAL.keys()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("tool: {}", 1, "has no `tool`"),
        ("tools:\n  Note: {}", 2, "`Note` is no name"),
        ("tools:\n  note:\n    abuot: x", 3, "has no `abuot`"),
        ("tools:\n  nota: {}", 2, "runs nothing"),
        ("tools:\n  note: {}\n  go: {runs: nota}", 3, "runs nothing"),
        ("tools:\n  note: {confirm: oui}", 2, "is `true` or `false`"),
        ("tools:\n  note: {timeout: 2 days}", 2, "no time between"),
        ("tools:\n  note:\n    arguments:\n      texte: text", 4, "no use for `texte`"),
        ("tools:\n  delete_file:\n    arguments: {path: {type: path, optional: true}}", 3, "needs the argument `path`"),
        ("tools:\n  note: {arguments: {text: word}}", 2, "has the type `word`"),
        ("tools:\n  go: {command: [x, '{a}'], arguments: {a: choice}}", 2, "no `choices`"),
        ("tools:\n  go: {command: [x, '{a}'], arguments: {a: {type: integer, min: two}}}", 2, "is no number"),
        ("tools:\n  go: {command: x}", 2, "is a list of texts"),
        ("tools:\n  go: {command: [x, '{b}']}", 2, "none of the arguments"),
        ("tools:\n  go: {command: [x], arguments: {a: text}}", 2, "never uses its argument `a`"),
        ("tools:\n  go: {command: [bash, -c, '{a}'], arguments: {a: text}}", 2, "as a program"),
        ("tools:\n  go: {command: ['{a}'], arguments: {a: text}}", 2, "lets the model choose the program"),
        ("tools:\n  go: {command: [x.cmd]}", 2, "a batch file"),
        ("tools:\n  go: {command: [x], runs: note}", 2, "both `runs` and `command`"),
        ("tools:\n  note: {apps: {vlc: [vlc]}}", 2, "no use for `apps`"),
    ],
)
def test_a_fault_of_the_tools_is_told_with_its_line(text, line, says):
    """Each is a sentence with the words of the file."""
    with pytest.raises(tools.Wrong) as told:
        read(text)
    assert says in told.value.says
    assert told.value.line == line


def project(workshop, spec=PROJECT, tools_=TOOLS):
    """A project with an assistant."""
    workshop.write("data/words.txt", "".join(f"le chat numéro {at} dort sur le canapé bleu\n" for at in range(400)))
    workshop.write("data/notes.txt", "La clé est dans le tiroir.\n\nLe code est 4312.\n")
    workshop.write("data/tools.yml", tools_)
    workshop.spec(spec)
    return workshop


def said(workshop):
    """What is wrong with the project, in one text."""
    with pytest.raises(ZycError) as told:
        workshop.plan()
    return "\n".join(f"{each.message} {each.help}" for each in told.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("data/tools.yml}", "data/tools.yml, confirm: [nota]}", "there is no tool `nota` to be asked about did you mean `note`?"),
        ("data/tools.yml}", "data/tools.yml, folder: ../x}", "`../x` is no folder of its own"),
        ("data/tools.yml}", "data/tools.yml, language: de}", "there are `fr` and `en`"),
        ("    context: 256\n", "    context: 128\n", "do not fit into 128"),
        ("Tu es Jarvis.", '"{tools} ' + "mot " * 60 + '"', "of tools and 160 for a request and its answer do not fit into 256"),
    ],
)
def test_what_cannot_work_is_said_in_the_plan(workshop, old, new, says):
    """Names that do not exist, a folder that leads out, a context that holds no conversation."""
    assert old in PROJECT
    assert says in said(project(workshop, PROJECT.replace(old, new)))


def test_a_fault_of_the_tools_stands_in_the_plan(workshop):
    """File and line, and the next step."""
    told = said(project(workshop, tools_="tools:\n  note: {}\n  serach_notes: {}\n"))
    assert "data/tools.yml:3: the tool `serach_notes` runs nothing" in told
    assert "did you mean `search_notes`?" in told


def test_the_recipe_holds_the_tools_and_the_part(workshop):
    """The tools as JSON, the package, and the modules that it shares with the exams."""
    front = project(workshop).front()
    files = front.settlement.rendered(front.graph.vertices["my-helper"]).files()
    assert json.loads(files["recipe/bundle/tools.json"]) == {"tools": read(TOOLS)}
    assert {"recipe/bundle/assistant/loop.py", "recipe/bundle/calling.py", "recipe/bundle/retrieving.py"} <= {*files}


# --- the bundle itself ---


def started(bundle, *words, stdin="", env=None):
    """What `python -m assistant` says in the bundle's folder."""
    env = {name: value for name, value in {**os.environ, **(env or {})}.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "assistant", *words], cwd=bundle, env=env, input=stdin, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_bundle_is_checked_asked_and_talked_to(workshop, tmp_path):
    """A packed bundle with a real model in the terminal: notes are found, requests answered, a changed model is refused."""
    home = Path(project(workshop).root)
    assert {each.fate.name for each in workshop.build("my-notes").values()} <= {"RAN", "KEPT"}
    facts = {"source": Model(name="someone/Tiny", licence="mit", family="llama")}
    made = stand(tmp_path / "gguf", "gguf", {"source": tiny_models.make(tmp_path / "tiny")}, facts)
    run(made)
    step = packed.laid(workshop, tmp_path / "step", "my-helper", model={"model.gguf": (made / "out/model.gguf").read_bytes()})
    (step / "in/index").symlink_to(next((home / "artifacts/nodes").glob("my-notes/**/card.json")).resolve().parent)
    run(step)
    bundle = step / "out"
    assert "numpy==2.2.6; python_version < '3.11'" in (bundle / "requirements.txt").read_text()
    mine = {"ASSISTANT_HOME": str(home / "mine")}
    code, told, wrong = started(bundle, "--check", env=mine)
    assert (code, wrong) == (0, "")
    assert "notes    2 passages" in told
    assert "asks     delete_file, say" in told
    code, told, _ = started(bundle, "--ask", "Où est la clé ?", env=mine)
    assert code in (0, 1)
    assert "my-prompt > " in told or "model > " in told
    _, told, _ = started(bundle, env=mine, stdin="bonjour\n/journal\n/fin\n")
    assert '"event": "asked", "text": "bonjour"' in told
    script = "from assistant.__main__ import *; a, _ = assembled(arguments([])); print(a.desk.find('où est la clé ?')[0])"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=bundle, env={**os.environ, **mine}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "La clé est dans le tiroir."
    changed = home / "changed"
    subprocess.run(["cp", "-rL", bundle, changed], check=True)
    subprocess.run(["chmod", "-R", "u+w", changed], check=True)
    with (changed / "model/model.gguf").open("ab") as file:
        file.write(b"x")
    code, _, wrong = started(changed, "--check", env=mine)
    assert code == 1
    assert "model/model.gguf is not the file that was packed" in wrong
    (changed / "model/model.gguf").unlink()
    assert "model/model.gguf is missing" in started(changed, "--check", env=mine)[2]
