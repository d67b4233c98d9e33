"""No value becomes code: any string comes back as itself from every language that a recipe is written in."""

import ast
import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from zyc import kinds
from zyc.kind import Case
from zyc.kinds.step import Step, StepSpec
from zyc.planning.render import fill, literal
from zyc.source import parse

HOSTILE = (
    '"', "'", '"""', "'''", "\\", "\\\\", "\n", "\r", "\r\n", "\t", "\0", "\x07", "\x1b[31m", "\x7f", "\x85", "\xa0", "\xad",
    "\u200f", "\u2028", "\u2029", "\ufeff", "\ufffe", "\U0001f600", "\U000e0001", "\U0010ffff", "é", "e\u0301",
    "{{ 7 * 7 }}", "{% endif %}", "{# ", "#}", "{%- raw %}", "{", "}", "[", "]", "%s", "{0}",
    "$(id)", "`id`", "${HOME}", "$HOME", "$$(", "; rm -rf x", "&& id", "| id", "> out", "EOF",
    "!!python/object", "!important", "&a", "*a", ": ", " #", "# ", "- ", "? ", "---", "...", "<<",
    "~", "null", "true", "12e4567", "0x1f", "1_000", "NaN", "# /// script", "# ///", "*/", "<!--", "]]>", "</script>",
    "\\N{BULLET}", "\\x41", "\\u0041", "\\U00110000",
)  # fmt: skip
ANY = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
STRINGS = st.lists(ANY, max_size=6).map("".join)
# what a spec may hold: YAML has no word for the rest
WRITABLE = st.characters(exclude_categories=["Cs", "Cc", "Cn"], include_characters="\t\n\r\x85", exclude_characters="\ufeff")
SPECS = (
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(WRITABLE, max_size=6)), max_size=6)
    .map("".join)
    .filter(lambda text: not set(text) & set("\0\x07\x1b\x7f\ufeff\ufffe"))
)
BASH = shutil.which("bash")
MANY = {"fast": 300, "full": 10_000}
BOTH = pytest.mark.parametrize("many", ["fast", pytest.param("full", marks=pytest.mark.torture)])


def for_all(strategy, check, many):
    """Hold a promise for so many strings."""
    settings(max_examples=MANY[many], deadline=None)(given(strategy)(check))()


@BOTH
def test_python_literals(many):
    """A Python literal is one expression on one line, and evaluates to the string."""

    def check(text):
        script = fill("VALUE = {{ value }}\nMORE = [{{ more }}]\n", "script.py", {"value": text, "more": {text: [text, None]}})
        assert script.count("\n") == 2
        value, more = ast.parse(script).body
        assert ast.literal_eval(value.value) == text
        assert ast.literal_eval(more.value) == [{text: [text, None]}]

    for_all(STRINGS, check, many)


@BOTH
def test_json(many):
    """A JSON text is read back by a JSON reader, and stands on one line."""

    def check(text):
        written = fill('{"value": {{ value }}}\n', "settings.json", {"value": text})
        assert json.loads(written) == {"value": text}
        assert len(written.splitlines()) == 1

    for_all(STRINGS, check, many)


@BOTH
def test_yaml(many):
    """A YAML text is read back by the readers of other tools, as text whatever it looks like."""
    reader = YAML(typ="safe", pure=True)

    def check(text):
        written = fill("value: {{ value }}\n", "config.yml", {"value": text})
        assert reader.load(written) == {"value": text}
        assert len(written.splitlines()) == 1

    for_all(STRINGS, check, many)


@BOTH
def test_a_spec_holds_what_it_was_given(many):
    """What is written into a spec as a literal is what a field reads, and what a script gets."""
    document = "title: {}\n"

    def check(text):
        value = parse(document.format(literal(text, "yml")).encode(), "spec.yml").root["title"]
        assert (str(value), value.plain) == (text, False)

    for_all(SPECS, check, many)


@BOTH
def test_shell_values(many):
    """What a step gets in a variable is the string, to the byte, in a real shell; and nothing else is run."""
    size = 50

    def check(texts):
        values = {f"ZYC_VARS_V{at}": text for at, text in enumerate(texts)}
        spec = StepSpec.model_validate({"run": " ".join(values)})
        script = Step().recipe(Case(spec, values=values)).files.get("values.sh", "")
        names = " ".join(f'"${name}"' for name in values)
        told = subprocess.run(
            [BASH, "-euo", "pipefail", "-s"],
            input=f"{script}printf '%s\\0' {names}\n".encode(),
            capture_output=True,
            env={"LANG": "C.UTF-8", "PATH": ""},
            check=True,
        )
        assert told.stderr == b""
        assert told.stdout.decode().split("\0")[:-1] == texts

    no_nul = STRINGS.map(lambda text: text.replace("\0", ""))  # a spec refuses it, and no variable can hold it
    settings(max_examples=MANY[many] // size, deadline=None)(given(st.lists(no_nul, min_size=size, max_size=size))(check))()


@pytest.mark.usefixtures("example")
@BOTH
def test_a_whole_script(workshop, many):
    """Whatever a text of a spec holds, the script of its node is the same script with another literal in it."""
    workshop.spec(
        "corpuses:\n  my-words: {files: data/words.txt, card: data/card.json}\ncounters:\n  my-count: {base: my-words}\n"
        "scorers:\n  my-score: {model: my-count, title: ONE TITLE, tasks: {short: {words: ban}}}\n"
    )
    front = workshop.front()
    node, settlement = front.graph.vertices["my-score"], front.settlement
    template = settlement.known.templates["scorer"].recipe["report.py"]
    plain = ast.dump(ast.parse(settlement.rendered(node).recipe["report.py"]))

    def check(text):
        spec = node.spec.model_copy(update={"title": text})
        recipe = kinds.load("scorer").recipe(Case(spec))
        tree = ast.parse(fill(template, "report.py", recipe.values))
        assert ast.dump(tree) == plain.replace(repr("ONE TITLE"), repr(text))

    for_all(STRINGS, check, many)
