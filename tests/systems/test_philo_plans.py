"""What the plans of the philosophers say before anything is downloaded: nodes, sizes, and what arithmetic answers of gates."""

from pathlib import Path

import philo
import pytest
from desk import Desk

from zyc.gates import parse, show_beside
from zyc.world import World

HOME = Path(__file__).parent / "plans"
SITE = "hosts: {local: {cpus: 2, memory: 16 GB, gpus: 0, bf16: true}}\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The project on a laptop without a GPU and without a network."""
    told = Desk(tmp_path_factory.mktemp("plans"), environ={"HF_HUB_OFFLINE": "1", "COLUMNS": "140"})
    philo.write(told.root)
    philo.add(told.root, *philo.OTHERS)
    told.write("zyc.yml", SITE)
    return told


def said(desk, spec):
    """A line a node that people declare or that changes what is shipped, and one for each gate that arithmetic answers."""
    nodes = desk.zyc("plan", f"specs/{spec}.yml", "--json").data["nodes"]
    told = [f"{each['name']}  {each['kind']}  {each['result']}".rstrip() for each in nodes if each["kind"] != "prompt"]
    for node in nodes:
        told += [f"{node['name']}  {each['verdict']}  {each['gate']}  {each['text']}".rstrip() for each in node["gates"]]
    return "".join(f"{line}\n" for line in told)


@pytest.mark.parametrize("spec", ["philo-free", *philo.OTHERS])
def test_the_plan_says_what_it_always_said(desk, request, spec):
    """Nodes, sizes and the answers to gates, to the letter: whoever changes them reads the change in review."""
    told, golden = said(desk, spec), HOME / f"{spec}.txt"
    if request.config.option.update_snapshots:
        HOME.mkdir(exist_ok=True)
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_three_bases_decide_the_tier(desk):
    """Mistral 7B is the largest that fits 5 GB and 15 s; Qwen 7B is too large by its cache; Phi takes half of the time."""
    nodes = {each["name"]: each for each in desk.zyc("plan", "specs/philo-bases.yml", "--json").data["nodes"]}
    verdicts = {
        base: [each["verdict"] for each in nodes[f"bases-tier@base={base}"]["gates"]]
        for base in ("mistral-7b", "qwen-7b", "phi-mini")
    }
    assert verdicts == {
        "mistral-7b": ["could hold", "could hold"],
        "qwen-7b": ["could hold", "cannot hold"],
        "phi-mini": ["could hold", "could hold"],
    }


def test_a_14b_does_not_fit_an_a10g_in_bf16_and_does_in_six_bits(desk):
    """29.5 GB are more than 24; six bits leave room for the cache, and answer in the time that is asked for."""
    told = desk.zyc("plan", "specs/philo-premium.yml", "--json").data["nodes"]
    nodes = {each["name"]: each for each in told}
    assert nodes["philo-premium-lora.fused"]["result"] == "29.5 GB"
    assert nodes["philo-premium-q6"]["disk"] < 24e9
    gates = {each["gate"]: each["verdict"] for each in nodes["philo-premium-exam"]["gates"]}
    assert gates["speed.memory_peak <= 24 GB"] == gates["speed.answer_p95 <= 3.0 s"] == "could hold"
    full = desk.zyc("plan", "philo-premium-exam", "--set", "philo-premium-exam.model=philo-premium-lora.fused.gguf", "--json")
    gates = {
        each["gate"]: each["verdict"]
        for node in full.data["nodes"]
        if node["name"] == "philo-premium-exam"
        for each in node["gates"]
    }
    assert gates["speed.memory_peak <= 24 GB"] == "cannot hold"


def test_the_ablation_repeats_nothing(desk):
    """It names the nodes of the free tier and of the premium one: no recipe of theirs has a second key."""
    names = {each["name"] for each in desk.zyc("plan", "specs/philo-ablation.yml", "--json").data["nodes"]}
    assert {"philo-lora", "philo-q4", "exam", "philo-premium-q6"} <= names
    text = (philo.ROOT / "specs" / "philo-ablation.yml").read_text(encoding="utf-8")
    assert "finetunes:" not in text
    assert "models:" not in text


@pytest.fixture
def believers(tmp_path, monkeypatch):
    """The laptop of its makers, who believed in 4 GB of memory."""
    monkeypatch.setattr(World, "disk_free", lambda *_: 61_000_000_000)
    told = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    philo.write(told.root)
    told.write("zyc.yml", SITE)
    told.edit("specs/philo-free.yml", "speed.memory_peak <= 5 GB", "speed.memory_peak <= 4 GB")
    return told


@pytest.mark.parametrize("columns", [80, 120])
def test_the_plan_keeps_what_decides_on_a_narrow_terminal(believers, request, columns):
    """Memory with that of the proofs, every device, what the exam costs, each gate with its sum and place, and what is next."""
    said = believers.zyc("plan", "specs/philo-free.yml", COLUMNS=str(columns)).out
    golden = HOME / f"screen-{columns}.txt"
    if request.config.option.update_snapshots:
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")
    assert max(map(len, said.splitlines())) <= columns


def test_all_nodes_hang_on_their_owner(believers):
    """`--all` lists every node once below its owner, the last one on the last branch; prompts are steps in no plan."""
    said = believers.zyc("plan", "specs/philo-free.yml", "--all", COLUMNS="140")
    rows = said.lines[3 : said.lines.index("gates") - 1]
    assert said.lines[0].partition("  ")[2].startswith(f"{len(rows)} nodes")
    at = next(at for at, row in enumerate(rows) if row.split()[0] == "philo-lora")
    assert [row[2:].split("  ")[0] for row in rows[at : at + 6]] == [
        "philo-lora", " ├ .fused", " ├ .fused.proof", " ├ .fused.gguf", " └ .fused.gguf.proof", "philo-q4",
    ]  # fmt: skip
    assert not {"spinoza", "bergson", "kant"} & {row.split()[0] for row in rows}


def test_a_rehearsal_folds_what_it_adds(believers):
    """The exam of the untrained twin is a task of the exam like its others."""
    said = believers.zyc("plan", "specs/philo-free.yml", "--twin")
    assert ".untrained-questions" not in said.out
    assert ".untrained-questions" in believers.zyc("plan", "specs/philo-free.yml", "--twin", "--all").out


@pytest.mark.parametrize(
    ("gate", "value", "told"),
    [
        ("a <= 3 s", 3.0348, "3.03 s"),
        ("a <= 3 s", 3.0, "3.0 s"),
        ("a <= 20 GB", 20.01e9, "20,010,000,000 B"),
        ("a >= 75%", 0.7499, "74.99 %"),
    ],
)
def test_figures_never_contradict_their_verdict(gate, value, told):
    """What misses its bound by less than three digits tell is told in as many as it takes."""
    assert show_beside(value, parse(gate)) == told


def test_a_card_that_tells_of_another_rank_names_it(believers):
    """The deployment is written anew because its card repeats the rank, and neither its template nor zyc changed."""
    git = "git -c user.name=a -c user.email=a@example.org"
    assert believers.shell(f"git init -q -b main . && git add . && {git} commit -q -m one").code == 0
    believers.edit("specs/philo-free.yml", "rank: 64", "rank: 32")
    said = believers.zyc("plan", "specs/philo-free.yml", "--against", "main", "--format", "markdown")
    rows = [[each.strip() for each in line.strip("|").split("|")] for line in said.lines if line.startswith("| philo")]
    assert [(row[0], row[2].split()[0], row[3]) for row in rows] == [
        ("philo-lora", "**run**", "`lora.rank` 64 -> 32 (philo-free.yml:48)"),
        ("philo-q4", "maybe", "only if `philo-lora` changes"),
        ("philo-exam", "maybe", "only if `philo-lora` changes"),
        ("philo-free", "**run**", "its card tells of `philo-lora`"),
    ]
    assert said.lines[-1].startswith("2 run · 2 maybe")


def test_the_head_says_offline_when_nothing_can_be_reached(believers, monkeypatch):
    """A machine without a way to any other cannot fetch the base: that stands in the first line, and nobody is asked for it."""
    call, online = ("plan", "philo-lora"), {"HF_HUB_OFFLINE": ""}
    assert "offline" not in believers.zyc(*call, **online).lines[0]
    monkeypatch.setattr(World, "routed", lambda _: False)
    assert believers.zyc(*call, "--exclude", "philo-q4", **online).lines[0].endswith("· offline")
