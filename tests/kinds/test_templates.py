"""The lint of templates: a value stands where a literal can, in no quotes, comment, heredoc or other word."""

from pathlib import Path

import pytest

from zyc import kinds
from zyc.errors import ZycError
from zyc.planning.render import flaws

BAD = {
    "inside double quotes": ("make.py", 'a = 1\nb = "{{ spec.name }}"\n', 2),
    "inside single quotes": ("make.py", "a = '{{ spec.name }}'\n", 1),
    "inside a longer text": ("make.py", 'a = "x {{ spec.name }} y"\n', 1),
    "inside a text of many lines": ("make.py", 'a = """\none\n{{ spec.name }}\n"""\n', 3),
    "inside a raw text": ("make.py", 'a = r"{{ spec.name }}"\n', 1),
    "inside an f-string": ("make.py", 'a = f"{{ spec.name }}"\n', 1),
    "inside the braces of an f-string": ("make.py", 'a = f"{ {{ spec.name }} }"\n', 1),
    "inside a comment": ("make.py", "a = 1  # {{ spec.name }}\n", 1),
    "in the block of dependencies": ("make.py", '# /// script\n# dependencies = ["{{ spec.name }}"]\n# ///\n', 2),
    "as a part of a name": ("make.py", "make_{{ spec.name }}(1)\n", 1),
    "as the end of a number": ("make.py", "a = 1{{ spec.name }}\n", 1),
    "as an attribute": ("make.py", "a.{{ spec.name }} = 1\n", 1),
    "as a module": ("make.py", "import {{ spec.name }}\n", 1),
    "as a name that is set": ("make.py", "{{ spec.name }} = 1\n", 1),
    "as a function": ("make.py", "def {{ spec.name }}(): pass\n", 1),
    "as what is called": ("make.py", "a = {{ spec.name }}(1)\n", 1),
    "in one branch only": ("make.py", '{% if spec.a %}\na = {{ spec.a }}\n{% else %}\na = "{{ spec.b }}"\n{% endif %}\n', 4),
    "in the other branch only": (
        "make.py",
        '{% if spec.a %}\na = "{{ spec.a }}"\n{% else %}\na = {{ spec.b }}\n{% endif %}\n',
        2,
    ),
    "in a loop": ("make.py", '{% for each in spec.a %}\nadd("{{ each }}")\n{% endfor %}\n', 2),
    "beside itself in a loop": ("make.py", "a = [{% for each in spec.a %}{{ each }}{% endfor %}]\n", 1),
    "in a macro": ("make.py", "a = 1\n{% macro told(a) %}\n{{ a }}\n{% endmacro %}\nb = {{ told(1) }}\n", 2),
    "through a filter": ("make.py", "a = {% filter replace('\"', '') %}{{ spec.a }}{% endfilter %}\n", 1),
    "through a variable": ("make.py", "a = 1\n{% set b = spec.a %}\nb = {{ b }}\n", 2),
    "beside text of its own": ("make.py", "a = {{ spec.name }} {{ spec.other }}\n", 1),
    "in no Python at all": ("make.py", "a = ( {{ spec.name }}\n", 1),
    "in no template at all": ("make.py", "a = {{ spec.name \n", 1),
    "in a shell file": ("launch.sh", "set -e\nexec python {{ spec.name }}\n", 2),
    "in a heredoc": ("launch.sh", "cat <<EOF\n{{ spec.name }}\nEOF\n", 2),
    "in a file without an ending": ("Dockerfile", "FROM {{ spec.name }}\n", 1),
    "inside quotes of YAML": ("config.yml", 'a: 1\nb: "{{ spec.name }}"\n', 2),
    "inside single quotes of YAML": ("config.yml", "b: '{{ spec.name }}'\n", 1),
    "in a plain text of YAML": ("config.yml", "b: one {{ spec.name }}\n", 1),
    "before the rest of a plain text of YAML": ("config.yml", "b: {{ spec.name }} more\n", 1),
    "in a block of YAML": ("config.yml", "a: 1\nb: |\n  one\n  {{ spec.name }}\n", 4),
    "in a comment of YAML": ("config.yml", "a: 1 # {{ spec.name }}\n", 1),
    "in a tag of YAML": ("config.yml", "a: !{{ spec.name }} 1\n", 1),
    "inside quotes of JSON": ("config.json", '{\n"a": "{{ spec.name }}"}\n', 2),
    "in no JSON at all": ("config.json", '{"a" {{ spec.name }}}\n', 1),
}

GOOD = {
    "a value": ("make.py", "a = {{ spec.name }}\n"),
    "an argument": ("make.py", "train(rank={{ spec.rank }}, *{{ spec.more }})\n"),
    "a list": ("make.py", "a = [{{ spec.a }}, {{ spec.b }}]\n"),
    "a key": ("make.py", "a = { {{ spec.a }}: 1 }\n"),
    "an operand": (
        "make.py",
        "if not {{ spec.a }} or b == {{ spec.b }} in c:\n    d = -{{ spec.d }} if e else {{ spec.f }}.strip()\n",
    ),
    "each of a loop": ("make.py", "a = [{% for each in spec.a %}{{ each }}, {% endfor %}]\n"),
    "a note of the template's own": ("make.py", "{# not for the script #}\na = 1\n"),
    "a value in the braces of a format": ("make.py", 'a = "{}".format({{ spec.a }})\n'),
    "both branches": ("make.py", "{% if spec.a %}\na = {{ spec.a }}\n{% else %}\na = {{ spec.b }}\n{% endif %}\n"),
    "nothing to fill": ("launch.sh", "set -e\nexec python recipe/make.py\n"),
    "braces of a shell": ("launch.sh", 'echo "${HOME}" {a,b} "${#all[@]}" {#\n'),
    "braces of another program": ("launch.sh", "docker ps --format '{{.Names}}'\n"),
    "a value of YAML": ("config.yml", "a: {{ spec.a }}  # why\nb: [{{ spec.b }}, {{ spec.c }}]\nc:\n  - {{ spec.d }}\n"),
    "a key of YAML": ("config.yml", "a:\n  {{ spec.a }}: {b: {{ spec.b }}}\n"),
    "a value behind a block of YAML": ("config.yml", "a:\n  b: |\n    text\n\n  c: {{ spec.c }}\n"),
    "a value of JSON": ("config.json", '{"a": {{ spec.a }}, "b": [{{ spec.b }}]}\n'),
}


@pytest.mark.parametrize("case", BAD)
def test_a_value_that_could_become_code_is_refused(case):
    """Each of these is told with its line, whichever branch it stands in."""
    name, text, line = BAD[case]
    assert [told for told, _, _ in flaws(name, text)][:1] == [line]


@pytest.mark.parametrize("case", GOOD)
def test_a_value_that_stands_alone_is_fine(case):
    """A literal may stand wherever the language takes one."""
    assert list(flaws(*GOOD[case])) == []


@pytest.mark.usefixtures("example")
def test_every_built_in_template_is_fine():
    """The rule holds for what is shipped, too: whatever takes values, and whatever does not."""
    told = {}
    for stem in kinds.stems():
        for root in kinds.templates_of(stem):
            for path in sorted(Path(root, stem).rglob("*")):
                where = path.relative_to(root / stem)
                if path.is_file() and path.suffix != ".pyc" and where.parts[0] == "recipe":
                    told[str(path)] = list(flaws(path.name, path.read_text()))
    assert told
    assert {path: each for path, each in told.items() if each} == {}


def test_a_template_of_the_project_is_held_to_the_rule(workshop):
    """A template that shadows a built-in one is refused with its file and line, before anything is rendered from it."""
    workshop.spec("corpuses: {my-words: {files: data/words.txt, card: data/card.json}}")
    workshop.write("templates/corpus/recipe/corpus.py", 'a = 1\nb = "{{ spec.words }}"\n')
    with pytest.raises(ZycError) as error:
        workshop.plan()
    assert [(each.code, str(each.spans[0])) for each in error.value.problems] == [
        ("bad-template", "templates/corpus/recipe/corpus.py:2:1")
    ]


def test_a_module_of_the_project_is_copied_as_it_is(workshop):
    """Only recipe/ takes values: an f-string of a plain module beside it is no template."""
    workshop.spec("corpuses: {my-words: {files: data/words.txt, card: data/card.json}}")
    module = 'def told(a):\n    return f"{{{a}}}"\n'
    workshop.write("templates/corpus/lib/telling.py", module)
    front = workshop.front()
    assert front.settlement.rendered(front.graph.vertices["my-words"]).recipe["telling.py"] == module
