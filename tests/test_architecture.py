"""The house stands as it was drawn: layers, sizes, contracts in the first line, and what each call loads."""

import ast
import json
import subprocess
import sys
import time

import pytest
from desk import PROGRAMS, REPOSITORY, Desk

SOURCE = REPOSITORY / "zyc"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted(path for path in (REPOSITORY / "tests").rglob("test_*.py") if "golden" not in path.parts)
MOST_LINES = 420
MOST_OF_A_FUNCTION = 60
LONGER = {  # files that may be longer, and why
    "compile/link.py": "references become edges in one walk, families, choices and inserted nodes with them",
    "fields.py": "every type that a field may have: how each reads its text, and how an editor is told of it",
    "runner/__init__.py": "the loop: every state that a node may be in, and every way out of it",
    "importers/axolotl_keys.py": "a table: every key that axolotl has or had, and what becomes of it",
    "keeping/store.py": "trees from a folder to their digest, with every way in which a disk may refuse one",
    "world/__init__.py": "everything that touches disk, processes and clock, so that nothing else does",
    "errors.py": "all wording in one place",
}
HEAVY = {"torch", "transformers", "networkx", "jinja2", "rich"}


def trees(paths):
    """Each file as a syntax tree."""
    for path in paths:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def functions(tree):
    """Every function of a file, nested ones too."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(node):
    """Lines of a function."""
    return node.end_lineno - node.lineno + 1


def largest(sizes):
    """The largest ones first."""
    return sorted(sizes, reverse=True)


def show(capsys, what, sizes):
    """The ten largest, for whoever runs the tests."""
    with capsys.disabled():
        sys.stdout.write(f"\nlargest {what}\n" + "".join(f"{size:5} {name}\n" for size, name in sizes[:10]))


def is_a_sentence(text):
    """Whether a docstring opens with one sentence."""
    first = (text or "").split("\n\n")[0].strip()
    return (first[:1].isalnum() or first.startswith("`")) and first.endswith((".", "!"))


def test_imports_only_go_down():
    """The layers of pyproject.toml hold, imports for types included."""
    done = subprocess.run([PROGRAMS / "lint-imports", "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_function_outgrows_a_screen(capsys):
    """The ten largest functions are printed, and the largest stays within its bound."""
    found = ((path, each) for path, tree in trees(MODULES) for each in functions(tree))
    sizes = largest((length(each), f"{path.relative_to(SOURCE)}:{each.lineno} {each.name}") for path, each in found)
    show(capsys, "functions", sizes)
    assert [each for each in sizes if each[0] > MOST_OF_A_FUNCTION] == []


def test_no_file_outgrows_a_sitting(capsys):
    """The ten largest files are printed, and those over the bound have a reason to be."""
    sizes = largest((len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(SOURCE))) for path in MODULES)
    show(capsys, "files", sizes)
    assert {name for size, name in sizes if size > MOST_LINES} == LONGER.keys()
    assert [each for each in sizes if each[0] > 2 * MOST_LINES] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_opens_with_its_contract(path):
    """The first line of each module is a sentence that says what it is."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert is_a_sentence(text), text


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_test_says_what_it_promises(path):
    """Each test has a docstring of one sentence, and so has its file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert is_a_sentence(ast.get_docstring(tree)), path
    for each in functions(tree):
        if each.name.startswith("test_"):
            text = ast.get_docstring(each)
            assert is_a_sentence(text), f"{each.name}: {text}"


def loaded(desk, code):
    """The modules that a piece of code loads, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"],
        cwd=desk.root,
        env=desk.process_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def foreign(modules):
    """Those that are neither zyc's nor Python's own, nor there before anything is imported."""
    return {name for name in modules if name.split(".")[0] not in sys.stdlib_module_names | {"zyc", "__main__", "sitecustomize"}}


@pytest.fixture
def project(tmp_path):
    """A project of three steps."""
    desk = Desk(tmp_path / "project")
    desk.zyc("init", ".")
    return desk


@pytest.mark.parametrize("code", ["from zyc.__main__ import main; main(['--version'])", "import zyc.memo", "import zyc.complete"])
def test_the_quick_ways_need_the_standard_library_only(project, code):
    """A version, an answer that is known already and words for the shell load nothing that has to be installed."""
    assert foreign(loaded(project, code)) <= foreign(loaded(project, ""))


def test_nothing_to_do_needs_the_standard_library_only(project):
    """The second of two equal calls prints what the first one printed, and loads no library for it."""
    time.sleep(0.05)  # a file that was written just now may change unseen, and is looked at again
    code = "from zyc.__main__ import main; main(['plan'])"
    loaded(project, code)
    assert foreign(loaded(project, code)) <= foreign(loaded(project, ""))


def test_a_plan_loads_no_engine_and_nothing_that_it_can_do_without(project):
    """Planning loads neither torch nor the libraries of pictures, templates and tables."""
    code = "from zyc.__main__ import main; main(['plan'])"
    assert not HEAVY & loaded(project, code)
