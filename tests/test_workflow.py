"""The workflow that `zyc init --ci` writes: valid by the schema of those who run it, and its lines do what they say."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from desk import Desk

from zyc.source import parse

WORKFLOW = ".github/workflows/specs.yml"
PIP = '#!/bin/sh\n[ "$1" = show ] && printf "Name: %s\\nVersion: 1.2.3\\n" "$2" || echo "$@"\n'
SAID = '#!/bin/sh\nprintf \'%s\\n\' "$@" > "$RUNNER_TEMP/said"\n'  # what the program of the hub is told


def git(desk, *words):
    """A call of git, by somebody."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *words], cwd=desk.root, check=True, capture_output=True)


@pytest.fixture
def change(tmp_path):
    """A clone of a project with the workflow, on a branch with a changed spec."""
    upstream = Desk(tmp_path / "upstream")
    assert upstream.zyc("init", "--ci").code == 0
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        git(upstream, *words)
    subprocess.run(["git", "clone", "-q", upstream.root, tmp_path / "clone"], check=True)
    clone = Desk(tmp_path / "clone")
    git(clone, "checkout", "-qb", "change")
    clone.edit("specs/hello.yml", "name: world", "name: Spinoza")
    clone.edit("specs/hello.yml", "letters >= 5", "letters >= 8")
    clone.write("bin/gh", SAID)
    (clone.root / "bin" / "gh").chmod(0o755)
    return clone


def steps(desk, job):
    """The lines of a job that are run, by the names of their steps."""
    told = parse(desk.read(WORKFLOW).encode(), WORKFLOW).root["jobs"][job]["steps"]
    return {str(each["name"]): str(each["run"]) for each in told if "run" in each}


def ran(desk, line, **environ):
    """One step as a runner would start it: `bash -e`, with its variables."""
    temp = desk.root.parent / "temp"
    temp.mkdir(exist_ok=True)
    told = {"RUNNER_TEMP": str(temp), "GITHUB_STEP_SUMMARY": str(temp / "summary.md"), "GITHUB_BASE_REF": "main", "NUMBER": "7"}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", line],
        cwd=desk.root,
        env=desk.process_environ(**told, **environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return done, temp


def test_the_workflow_is_valid(tmp_path):
    """The schema that the makers of workflows publish has nothing against it."""
    desk = Desk(tmp_path / "project")
    desk.zyc("init", "--ci")
    validator = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*validator, desk.root / WORKFLOW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    desk.edit(WORKFLOW, "runs-on:", "run-on:")
    assert subprocess.run([*validator, desk.root / WORKFLOW], capture_output=True, check=False).returncode == 1


@pytest.mark.slow
def test_linters_of_workflows_have_nothing_to_say(tmp_path):
    """One knows what runners still run and what expressions give, the other how workflows are abused."""
    desk, programs = Desk(tmp_path / "project"), Path(sys.executable).parent
    desk.zyc("init", "--ci")
    desk.write("zizmor.yml", 'rules: {unpinned-uses: {config: {policies: {"actions/*": ref-pin}}}}\n')  # GitHub's own, by version
    zizmor = [programs / "zizmor", "--offline", "--no-progress", "--config", desk.root / "zizmor.yml"]
    for linter in ([programs / "actionlint"], zizmor):
        done = subprocess.run([*linter, desk.root / WORKFLOW], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    desk.edit(WORKFLOW, "actions/cache@v5", "somebody/cache@v5")
    assert subprocess.run([*zizmor, desk.root / WORKFLOW], capture_output=True, check=False).returncode != 0
    desk.edit(WORKFLOW, "github.token", "github.tokn")
    done = subprocess.run([programs / "actionlint", desk.root / WORKFLOW], capture_output=True, text=True, check=False)
    assert 'property "tokn" is not defined' in done.stdout


@pytest.mark.slow
def test_its_lines_check_plan_and_comment(change):
    """On a branch with a changed spec: no error, the plan in the summary, and the same as a comment of the pull request."""
    lines = steps(change, "plan")
    assert lines.pop("Install zyc") == 'pip install "$ZYC"'  # the machine of a test has it
    checked, _ = ran(change, lines["Check every spec"])
    assert checked.stdout == "✓ 3 nodes in 1 file: nothing wrong\n"
    planned, temp = ran(change, lines["Say what the change would run"])
    assert planned.returncode == 0, planned.stderr
    summary = (temp / "summary.md").read_text()
    assert "| greeting | keep | **run** | `ZYC_VARS_NAME` world -> Spinoza (hello.yml:" in summary
    assert "| count | `letters >= 5` | `letters >= 8` | ? by running |" in summary
    commented, temp = ran(change, lines["Comment it"])
    assert commented.returncode == 0, commented.stderr
    said = (temp / "said").read_text().splitlines()
    assert said == ["pr", "comment", "7", "--edit-last", "--create-if-none", "--body-file", str(temp / "plan.md")]
    assert (temp / "plan.md").read_text() == summary


@pytest.mark.slow
def test_a_wrong_spec_is_marked_on_its_line(change):
    """The step fails, and what it prints is an annotation for the line and column at fault."""
    change.edit("specs/hello.yml", "gates:", "gate:")
    checked, _ = ran(change, steps(change, "plan")["Check every spec"])
    assert checked.returncode == 2
    assert checked.stdout.startswith("::error file=specs/hello.yml,line=")
    assert "did you mean `gates`?" in checked.stdout


@pytest.mark.slow
def test_its_lines_rehearse_the_twin(change):
    """The graph is built at toy size, what it gave is in the summary, and a report lies where it is taken from."""
    lines = steps(change, "rehearse")
    built, temp = ran(change, lines["Rehearse every graph at toy size"])
    assert built.returncode == 0, built.stderr
    assert "3 ran" in built.stdout
    assert "Nothing to do: 3 nodes are kept." in (temp / "summary.md").read_text()
    assert ran(change, lines["Keep the reports"])[0].returncode == 0
    assert (change.root / "artifacts/report").is_dir()


def test_it_installs_what_any_spec_needs_and_keeps_one_llama_cpp_a_version(change):
    """Every extra, so that deployments, merges and ONNX are rehearsed, too; another llama.cpp is another cache."""
    change.write("bin/pip", PIP)
    (change.root / "bin" / "pip").chmod(0o755)
    output = change.root.parent / "output"
    done, _ = ran(change, steps(change, "rehearse")["Install zyc and its engines"], ZYC="./zyc", GITHUB_OUTPUT=str(output))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["install ./zyc[all]"]
    assert output.read_text() == "llama_cpp=1.2.3\n"
    told = parse(change.read(WORKFLOW).encode(), WORKFLOW).root["jobs"]["rehearse"]["steps"]
    (cache,) = [each["with"] for each in told if str(each.get("uses", "")).startswith("actions/cache@")]
    assert str(cache["key"]).endswith("-llama-cpp-${{ steps.engines.outputs.llama_cpp }}")
    extras = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    of_accelerators = {"liger"}
    assert set(re.findall(r"[a-z]+", extras["all"][0].partition("[")[2])) == extras.keys() - {"all"} - of_accelerators


def test_a_project_that_is_there_gets_only_the_workflow(tmp_path):
    """`zyc init --ci` touches nothing else, and never writes over a workflow."""
    desk = Desk(tmp_path / "project")
    desk.zyc("init", ".")
    said = desk.zyc("init", "--ci", "--json")
    assert json.loads(said.out)["files"] == [WORKFLOW]
    again = desk.zyc("init", "--ci")
    assert again.code == 2
    assert "holds a project already" in again.err
    assert "`zyc plan` shows it" in again.err
    desk.write("next door/specs/x.yml", "zyc: 1\n")
    assert "`cd 'next door' && zyc plan` shows it" in desk.zyc("init", "next door").err
