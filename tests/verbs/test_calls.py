"""What holds for every verb: exit codes, data, help with examples that run, narrow terminals, pipes, any folder."""

import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time

import pytest
from desk import Desk

from zyc.cli import VERBS

EVERY = [verb for group in VERBS.values() for verb in group]
ON_A_GRAPH = [
    "plan",
    "why",
    "ls",
    "show",
    "graph",
    "check",
    "build",
    "render",
    "push",
    "pull",
    "accept",
    "ledger",
    "report",
]
CALLS = {  # a call of each verb in the project of `zyc init`
    "plan": ["plan"],
    "why": ["why", "page"],
    "ls": ["ls"],
    "show": ["show", "page"],
    "graph": ["graph"],
    "check": ["check"],
    "build": ["build"],
    "retry": ["retry"],
    "logs": ["logs", "page"],
    "render": ["render"],
    "lock": ["lock"],
    "push": ["push", "--remote", "./shared"],
    "pull": ["pull", "--remote", "./shared"],
    "accept": ["accept", "page", "--set", "page.run=cat in/count/count.txt > out/page.html"],
    "adopt": ["adopt", "page.zyc.tar"],
    "ledger": ["ledger", "page"],
    "diff": ["diff", "page", "count"],
    "fit": ["fit", "page"],
    "report": ["report"],
    "verify": ["verify"],
    "gc": ["gc"],
    "init": ["init", "other"],
    "import": ["import", "lora.yml"],
    "doctor": ["doctor"],
    "schema": ["schema"],
    "completion": ["completion", "bash"],
}


OF_ANOTHER_TOOL = "base_model: a/b\ndatasets: [{path: rows.jsonl, type: alpaca}]\nlearning_rate: 1e-5\n"


def came_home(desk):
    """What a batch job made of `page`; here it is not kept any more."""
    desk.zyc("build", "count")
    assert desk.zyc("render", "page", "--as", "sbatch", "-o", "job/page", "--force").code == 0
    desk.shell("bash job/page/job.sbatch && mv job/page.zyc.tar .")
    key = next(each["key"] for each in desk.zyc("plan", "page", "--json").data["nodes"] if each["name"] == "page")
    (desk.root / f"artifacts/store/traces/{key[:2]}/{key}.json").unlink(missing_ok=True)


@pytest.fixture
def hello(bare):
    """The project that `zyc init` writes."""
    assert bare.zyc("init", ".").code == 0
    return bare


# --- exit codes ---


def test_each_verb_ends_with_nought_when_all_is_well(hello):
    """Every verb has a call that is fine."""
    # they want a model or a bundle: see test_ledger.py, test_deploy.py, test_served.py
    apart = {"ask", "chat", "deploy", "serve"}
    assert {*CALLS} | apart == {*EVERY}
    for verb, words in CALLS.items():
        if verb == "adopt":
            came_home(hello)
        if verb == "import":
            hello.write("lora.yml", OF_ANOTHER_TOOL)
        assert hello.zyc(*words).code == 0, words


@pytest.mark.parametrize("verb", ON_A_GRAPH)
def test_a_wrong_name_is_two(hello, verb):
    """What nobody is called is said on standard error, with exit code 2 and without a traceback."""
    said = hello.zyc(verb, "pag")
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: nothing is called `pag`\nhelp: did you mean `page`?\n"


@pytest.mark.parametrize("verb", EVERY)
def test_a_wrong_option_is_two(hello, verb):
    """An option that a verb does not have is named, with where to look."""
    said = hello.zyc(verb, "--jason")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: no option `--jason`")
    assert f"`zyc {verb} --help` shows what there is" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["paln"], "no verb `paln`; did you mean `plan`?"),
        (["why"], "wants NODE"),
        (["plan", "--format", "latex"], "`--format`"),
        (["completion", "tcsh"], "tcsh"),
        (["plan", "--set"], "--set"),
        (["plan", "--against", "HEAD", "--remote", "./shared"], "`--against`"),
        (["lock", "page"], "page"),
    ],
)
def test_a_call_that_makes_no_sense_is_two(hello, words, told):
    """A wrong call says what is wrong with it in one line, and the next step in another."""
    said = hello.zyc(*words)
    assert (said.code, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first.startswith("error: ")
    assert told in first
    assert second.startswith("help: ")


@pytest.mark.parametrize("verb", [*ON_A_GRAPH, "lock"])
def test_outside_of_a_project_the_way_in_is_told(bare, verb):
    """Without a project each verb that needs one says how to start it."""
    said = bare.zyc(*CALLS[verb])
    assert said.code == 2
    assert said.err == "error: no folder named `specs` here or above\nhelp: run `zyc init` to start a project here\n"


def test_something_would_run_is_three(hello):
    """`plan --exit-code` is 3 while something would run, and 0 once nothing would."""
    assert hello.zyc("plan").code == 0
    assert hello.zyc("plan", "--exit-code").code == 3
    hello.zyc("build")
    assert hello.zyc("plan", "--exit-code").code == 0


def test_a_failed_step_is_one(hello):
    """A step that fails, or a gate, ends a build with 1."""
    assert hello.zyc("build", "--set", "greeting.run=exit 3").code == 1
    assert hello.zyc("build", "--set", "count.gates=[letters >= 100]").code == 1
    assert hello.zyc("build").code == 0


def test_without_words_there_is_help(hello):
    """`zyc` alone shows what there is."""
    said = hello.zyc()
    assert said.code == 0
    assert all(f"  {verb} " in said.out for verb in EVERY)


def test_a_version_is_a_version(hello):
    """`--version` says the version of the package."""
    from zyc import __version__

    assert hello.shell("zyc --version && zyc -V").out == f"zyc {__version__}\n" * 2


# --- data ---

KEYS = {  # the keys of what each verb says as data: a program may rely on them
    "plan": "counts devices fetch lacks nodes searches seconds too_large twin unpinned",
    "why": "accepted adopted although chain here key manifest node plan reasons stands_on_accepted stands_on_adopted unknown why",
    "ls": "about coordinates family file kind line name owner plan tags",
    "show": "about accepted adopted elsewhere fields file files gates inputs key kind line measures name placement plan "
    "predicted readers stands_on_accepted stands_on_adopted took tree",
    "gc": "bytes items kept missing_projects removed specs_broken undeclared",
    "verify": "bytes damaged records repaired results seconds",
    "accept": "accepted written",
    "adopt": "adopted written",
    "report": "index reports",
    "ledger": "hops node says twin",
    "diff": "a ancestor b files hops not_kept settings tensors",
    "graph": "edges nodes",
    "check": "errors files nodes warnings",
    "render": "folder steps",
    "lock": "changes pins",
    "push": "bytes counts dry_run nodes remote unsent",
    "pull": "bytes counts dry_run nodes remote unsent",
    "init": "files folder",
    "doctor": "fine group mend name needed says",
    "schema": "$defs $schema additionalProperties properties required title type",
    "completion": "script shell",
}


@pytest.mark.parametrize("verb", sorted(KEYS))
def test_each_verb_answers_with_data(hello, verb):
    """`--json` is one JSON document on standard output, nothing else, with keys that stay."""
    if verb == "pull":
        hello.zyc(*CALLS["push"])
    if verb in ("accept", "diff"):
        hello.zyc("build")
    if verb == "adopt":
        came_home(hello)
    said = hello.zyc(*CALLS[verb], "--json")
    assert (said.code, said.err) == (0, "")
    told = said.data[0] if isinstance(said.data, list) else said.data
    assert " ".join(sorted(told)) == KEYS[verb]


def test_a_build_answers_with_a_stream(hello):
    """`build --json` is an event a line, for whoever follows it as it goes."""
    events = [json.loads(line) for line in hello.zyc("build", "--json").lines]
    assert events[0]["nodes"] == events[0]["counts"]["run"] == 3
    told = [each for each in events if each["event"] != "progress"]  # a slow machine may have something to say meanwhile
    assert [each["event"] for each in told] == ["plan"] + ["start", "end"] * 3 + ["done"]
    assert [each["node"] for each in told[1:-1]] == ["greeting"] * 2 + ["count"] * 2 + ["page"] * 2
    assert told[-1]["counts"] == {"kept": 0, "ran": 3, "resumed": 0, "failed": 0, "blocked": 0, "interrupted": 0}
    assert sorted(told[-1]) == ["counts", "event", "left", "saved", "seconds"]
    keys = "attempts bytes event fate fetched gates key log measures node peak_memory reason seconds tree"
    assert " ".join(sorted(told[2])) == keys


@pytest.mark.parametrize("verb", [*ON_A_GRAPH, "lock"])
def test_what_is_wrong_is_data_too(hello, verb):
    """With `--json` errors are data on standard output, with code, message, help and places."""
    hello.edit("specs/hello.yml", "gates:", "gate:")
    said = hello.zyc(*CALLS[verb], "--json")
    assert (said.code, said.err) == (2, "")
    (told,) = said.data["errors"]
    assert told == {
        "code": "unknown-field",
        "message": "no field `gate` in step `count`",
        "help": "did you mean `gates`?",
        "places": [{"file": "specs/hello.yml", "line": 18, "column": 5, "width": 4}],
    }


@pytest.mark.parametrize("verb", EVERY)
def test_a_wrong_call_is_data_too(hello, verb):
    """With `--json` a call that makes no sense is told as data, as wrong specs are."""
    said = hello.zyc(verb, "--json", "--jason")
    assert (said.code, said.err) == (2, "")
    assert [each["code"] for each in said.data["errors"]] == ["bad-call"]


# --- help ---


def examples(desk, verb):
    """The lines of a help text that one could type."""
    for line in desk.zyc(verb, "--help").out.splitlines():
        typed = line.strip()
        if typed.startswith(("zyc ", "bash ", "eval ")):
            yield re.sub(r"\s{2,}\S.*$", "", typed)


@pytest.mark.parametrize("verb", EVERY)
def test_help_says_what_a_verb_is_for(hello, verb):
    """`-h` and `--help` are the same; they show the verb in use, and fit into eighty columns."""
    said = hello.zyc(verb, "--help", COLUMNS="80")
    assert said.code == 0
    assert said.out == hello.zyc(verb, "-h", COLUMNS="80").out
    assert any(f"zyc {verb}" in line for line in examples(hello, verb))
    assert all(len(line) <= 84 for line in said.lines), "an example may stand out a little"


LACKS = ("tool:pandoc", "| dot", "origin/main", "train@", "fish | source", "../old", "s3://")  # what an example needs besides


# their examples are of models: tests/systems and the tests of `fit` make such calls
OF_MODELS = ("ask", "chat", "deploy", "fit", "serve")


@pytest.mark.slow
@pytest.mark.parametrize("verb", [verb for verb in EVERY if verb not in OF_MODELS])
def test_the_examples_of_help_run(hello, verb, tmp_path):
    """Each line that a help text shows can be typed in a project, in the order in which it is shown."""
    ran = 0
    hello.write("zyc.yml", "remotes: {team: {url: team}}\n")
    hello.zyc("plan", "--out", "agreed.json")
    hello.zyc("build", "--remote", "team", "--push")
    if verb == "accept":
        hello.edit("specs/hello.yml", "> out/page.html", ">out/page.html")
    if verb == "adopt":
        came_home(hello)
    if verb == "import":
        hello.write("lora.yml", OF_ANOTHER_TOOL)
        hello.write("../other/train.yaml", OF_ANOTHER_TOOL)
    for line in examples(hello, verb):
        if any(word in line for word in LACKS):
            continue
        # nothing is written but below the test's own folder
        said = hello.shell(line.replace("/tmp/", f"{tmp_path}/").replace("/mnt/share/store", f"{hello.root}/team"))
        assert said.code == (3 if "--exit-code" in line and "nothing" in line else said.code)
        assert said.code in (0, 3), f"{line}\n{said.text}"
        assert "Traceback" not in said.text
        ran += 1
    assert ran > 0


# --- terminals and pipes ---

LONG = """\
about: A mill with a very long story, which nobody would ever tell in one breath
steps:
  the-grain-of-the-whole-village: {files: {raw: specs/data/grain.txt}, run: sort in/raw > out/grain.txt}
  flour-of-the-finest-kind-that-there-is:
    about: Ground twice between two stones of the blackest basalt
    inputs: {grain: the-grain-of-the-whole-village}
    run: tr a-z A-Z < in/grain/grain.txt > out/flour.txt; echo '{"grams":950}' > measures.json
    gates: [grams >= 900]
  bread-for-everybody:
    matrix: {size: [1, 2, 3]}
    inputs: {flour: flour-of-the-finest-kind-that-there-is}
    run: echo $ZYC_MATRIX_SIZE > out/bread
"""


@pytest.mark.parametrize("columns", [40, 50, 80])
def test_no_line_is_wider_than_the_terminal(bare, columns):
    """Plans, reasons, lists and builds stay within the columns that there are."""
    bare.write("specs/data/grain.txt", "rye\n")
    bare.spec(LONG)
    wide = {"COLUMNS": str(columns)}
    said = [bare.zyc("plan", **wide), bare.zyc("build", **wide)]
    bare.edit("specs/mill.yml", "tr a-z A-Z", "tr a-z B-ZA")
    bare.edit("specs/mill.yml", "grams >= 900", "grams >= 1000")
    node = "flour-of-the-finest-kind-that-there-is"
    calls = (["plan"], ["why", node], ["ls", "-l"], ["show", node], ["build"], ["plan", "--all"])
    said += [bare.zyc(*words, **wide) for words in calls]
    for each in said:
        assert [line for line in each.lines if len(line) > columns] == []


def watched(desk, line, *, columns=100, **environ):
    """What a person sees of a line on a terminal, and its exit code."""
    leader, follower = pty.openpty()
    environ = {**desk.process_environ(**environ), "COLUMNS": str(columns), "TERM": environ.get("TERM", "xterm")}
    process = subprocess.Popen(
        ["bash", "-c", line], cwd=desk.root, env=environ, stdin=follower, stdout=follower, stderr=follower, close_fds=True
    )
    os.close(follower)
    told = b""
    while select.select([leader], [], [], 30)[0]:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # Linux says so when nobody writes any more
            break
        if not chunk:
            break
        told += chunk
    os.close(leader)
    return told.decode().replace("\r\n", "\n"), process.wait(30)


def test_a_terminal_has_colours_and_a_pipe_has_none(hello):
    """Colour is for people who watch: NO_COLOR and a dumb terminal turn it off, FORCE_COLOR turns it on."""
    shown, code = watched(hello, "zyc plan")
    assert code == 0
    assert "\x1b[32mrun\x1b[0m" in shown
    assert "\x1b" not in watched(hello, "zyc plan", NO_COLOR="1")[0]
    assert "\x1b" not in watched(hello, "zyc plan", TERM="dumb")[0]
    assert "\x1b" not in hello.zyc("plan").out
    assert "\x1b[32mrun\x1b[0m" in hello.zyc("plan", FORCE_COLOR="1").out
    assert "\x1b" not in hello.zyc("plan", FORCE_COLOR="1", NO_COLOR="1").out


def test_a_build_on_a_terminal_is_one_line_a_node_in_place(hello):
    """What runs is shown and written over by what became of it; a build that is over at once just tells."""
    hello.edit("specs/hello.yml", 'echo "hello', 'sleep 1; echo "hello')
    shown, code = watched(hello, "zyc build")
    assert code == 0
    for node in ("greeting", "count", "page"):
        assert len(re.findall(rf"  {node} +\x1b\[32mran", shown)) == 1, shown
    first = shown.index("\x1b[32mran")
    assert shown.index("  greeting  0 s") < first, "it is shown while it runs"
    assert shown.index("  count     \x1b[33mwaits\x1b[0m  for greeting") < first
    assert shown.index("\x1b[2K") < first, "and is written over"
    assert "\x1b[?25h" in shown, "the cursor is back"
    assert "\x1b[2K" not in watched(hello, "zyc build --set vars.name=x", TERM="dumb")[0]


def test_a_list_is_a_table_for_people_and_names_for_pipes(hello):
    """`zyc ls` gives scripts one name a line, and people kind, state and place."""
    shown, _ = watched(hello, "zyc ls", NO_COLOR="1")
    assert shown.splitlines()[0].split() == ["greeting", "step", "run", "specs/hello.yml:9"]
    assert hello.zyc("ls").lines == ["greeting", "count", "page"]


@pytest.mark.slow
def test_a_reader_that_has_had_enough_is_no_error(bare):
    """A closed pipe ends a call in silence, the first time and when its answer is known already."""
    bare.spec("steps:\n  many: {matrix: {x: [" + ", ".join(map(str, range(3000))) + "]}, run: echo $ZYC_MATRIX_X > out/x}\n")
    for words in ("ls", "plan --json", "plan --json", "plan --json"):
        said = bare.shell(f"set -o pipefail; zyc {words} | head -n 1")
        assert (said.code, said.err, len(said.lines)) == (0, "", 1), words
        time.sleep(0.05)


def test_a_build_that_nobody_reads_says_that_it_was_cut_short(hello):
    """A build whose reader is gone does not claim that all is well."""
    hello.edit("specs/hello.yml", 'echo "hello', 'sleep 0.3; echo "hello')
    said = hello.shell("zyc build --json | true; exit ${PIPESTATUS[0]}")
    assert (said.code, said.err) == (130, "")


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_no_error(hello, closed):
    """A call whose standard streams are closed does what it should."""
    for words in ("plan", "build", "--version", "ls"):
        said = hello.shell(f"zyc {words} {closed}")
        assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(("encoding", "dot"), [("ascii", "?"), ("latin-1", "\xb7"), ("utf-8", "·")])
def test_a_stream_that_is_not_utf8_gets_what_it_can_show(hello, encoding, dot):
    """Where a letter cannot be written another stands for it; the call and its repetition go on."""
    time.sleep(0.05)
    for _ in range(3):
        done = subprocess.run(
            ["zyc", "plan"], cwd=hello.root, env=hello.process_environ(PYTHONIOENCODING=encoding), capture_output=True, check=True
        )
        assert f"3 nodes {dot} nothing".encode(encoding) in done.stdout


# --- anywhere ---


def test_any_folder_of_the_project_will_do(hello):
    """A call in a subfolder is about the same project; a path is relative to where one stands."""
    names = hello.zyc("ls").lines
    below = Desk(hello.root, "specs/data")
    (hello.root / "specs/data").mkdir(exist_ok=True)
    assert below.zyc("ls").lines == names
    assert below.zyc("ls", "..").lines == names
    assert below.zyc("ls", "../hello.yml").lines == names
    assert below.zyc("ls", "specs/hello.yml").lines == names, "as errors name it"
    assert below.zyc("build").code == 0
    assert (hello.root / "artifacts/nodes/page/page.html").exists()
    assert below.zyc("render", "-o", "here").code == 0
    assert (hello.root / "specs/data/here/run.sh").exists()


def test_a_folder_that_is_gone_is_told(hello):
    """A call from a folder that somebody removed ends in words."""
    said = hello.shell("mkdir gone && cd gone && rmdir ../gone && zyc ls")
    assert said.code == 2
    assert "Traceback" not in said.err


def humbly(desk, line):
    """The answer to a line, typed by somebody who may not write where it is forbidden, as root may."""
    root = os.geteuid() == 0
    return desk.shell(f"setpriv --bounding-set=-dac_override,-dac_read_search bash -c {shlex.quote(line)}" if root else line)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_project_that_cannot_be_written_to_can_be_planned(hello):
    """In a read-only project everything that only looks works, and a build says what it lacks."""
    hello.zyc("build")
    folders = [hello.root, *(path for path in hello.root.rglob("*") if path.is_dir() and not path.is_symlink())]
    modes = {path: path.stat().st_mode for path in folders}
    try:
        for path in folders:
            path.chmod(0o555)
        for words in ("plan", "why page", "ls", "graph", "check", "show page", "build"):
            said = humbly(hello, f"zyc {words}")
            assert said.code == 0, said.text
        said = humbly(hello, "zyc build --set vars.name=x")
        assert said.code == 2
        assert "`artifacts/store` may not be written" in said.err
        assert "Traceback" not in said.text
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


# --- the shell ---


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_one(hello, shell):
    """What `completion` prints is a script without mistakes, as far as the shell is here to say so."""
    script = hello.zyc("completion", shell).out
    hello.write("script", script)
    check = {"bash": "bash -n", "zsh": "! command -v zsh || zsh -n", "fish": "! command -v fish || fish -n"}
    assert hello.shell(f"{check[shell]} script").code == 0
    assert hello.zyc("completion", shell, "--json").data == {"shell": shell, "script": script}


def completed(desk, line):
    """What bash offers where a line ends, with the words of the line broken as readline breaks them."""
    code = f"""
        eval "$(zyc completion bash)"
        COMP_LINE={shlex.quote(line)}; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9
        read -ra COMP_WORDS <<< "$COMP_LINE"; [[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        $(complete -p zyc | sed 's/.*-F \\([^ ]*\\).*/\\1/') zyc "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return desk.shell(code).out.split()


@pytest.mark.slow
def test_bash_completes_verbs_options_and_nodes(hello):
    """A shell offers verbs, the options of a verb, the names of nodes and the values that an option can have."""
    assert completed(hello, "zyc pl") == ["plan"]
    assert completed(hello, "zyc plan --ag") == ["--against"]
    assert completed(hello, "zyc plan gr") == ["greeting"]
    assert completed(hello, "zyc plan +gr") == ["+greeting"]
    assert completed(hello, "zyc plan --exclude co") == ["count"]
    assert completed(hello, "zyc plan --format m") == ["markdown"]
    assert {"greeting", "count", "page", "specs/hello.yml"} <= {*completed(hello, "zyc build ")}
    hello.edit("specs/hello.yml", "  page:\n", "  pamphlet:\n")
    assert completed(hello, "zyc plan pa") == ["pamphlet"]
    hello.write("specs/hello.yml", "zyc: 1\nsteps: [")
    assert completed(hello, "zyc plan gr") == []
