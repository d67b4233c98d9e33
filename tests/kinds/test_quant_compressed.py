"""AWQ, GPTQ, FP8 and INT8: what their scripts look like, which environment they ask for, what is refused, what is told."""

import re
import sys
from pathlib import Path

import pytest
from standing import TEMPLATES, module

from zyc.craft.quantizing.compressed import Awq, Fp8, Gptq, Int8
from zyc.planning.known import named
from zyc.types import HfQuant

PROJECT = """
tokenizers: {my-pieces: {corpus: data/words.txt, vocab: 400}}
models: {my-tiny: {scratch: {family: llama, layers: 2, heads: 4, width: WIDTH, mlp: 512, context: 256}, tokenizer: my-pieces}}
datasets: {my-texts: {from: data/words.txt, per: line, format: text}}
quants: {my-fast: {model: my-tiny, FIELDS}}
"""
LOCK = TEMPLATES / "shared/llmcompressor.txt"


def project(workshop, fields, width="256"):
    """A project with one quant."""
    workshop.spec(PROJECT.replace("FIELDS", fields).replace("WIDTH", width))
    return workshop


def test_awq(workshop, golden):
    """The script of AWQ, and the list of its environment beside it."""
    golden(project(workshop, "format: awq, calibration: my-texts, placement: {gpus: 1}").front(), "my-fast")


def test_gptq(workshop, golden):
    """The script of GPTQ."""
    golden(project(workshop, "format: gptq, calibration: my-texts").front(), "my-fast")


def test_fp8(workshop, golden):
    """The script of FP8, which looks at no text."""
    golden(project(workshop, "format: fp8, on: h100").front(), "my-fast")


def test_int8(workshop, golden):
    """The script of INT8."""
    golden(project(workshop, "format: int8, calibration: my-texts").front(), "my-fast")


def test_proof(workshop, golden):
    """The script of the proof runs in the same environment."""
    golden(project(workshop, "format: fp8").front(), "my-fast.proof")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("format: awq, placement: {gpus: 1}", "`awq` looks at what flows through the model before it rounds"),
        ("format: awq, calibration: my-texts", "llmcompressor makes `awq` on an accelerator only"),
        ("format: fp8, calibration: my-texts", "`fp8` rounds without looking at any text"),
        ("format: fp8, on: a100", "`fp8` needs Ada, Hopper or later (compute capability 8.9); a A100 40 has 8.0"),
        ("format: int8, calibration: my-texts, on: v100", "`int8` needs Turing or later"),
        ("format: fp8, on: laptop-cpu", "`laptop-cpu` has no accelerator"),
        ("format: fp8, type: w4a16", "an FP8 model has no type `w4a16`"),
        ("type: Q4_K_M, on: h100", "a GGUF has no `on`"),
        ("type: Q4_K_M, calibration: my-texts", "a GGUF has no `calibration`"),
    ],
)
def test_what_cannot_be_is_told_at_plan_time(workshop, fields, says):
    """No kernels, no texts, no such type: told before an environment is made."""
    ((_, _, facts),) = project(workshop, fields).problems()
    assert says in facts["says"]


def test_rows_that_scales_do_not_cut(workshop):
    """Four bits have a scale for each 128 weights of a row."""
    ((_, _, facts),) = project(workshop, "format: awq, calibration: my-texts, placement: {gpus: 1}", width="192").problems()
    assert "do not cut the rows of" in facts["says"]


@pytest.mark.parametrize(
    "fields", ["format: fp8, on: h100", "format: fp8, on: dgx-spark", "format: int8, on: t4, calibration: my-texts"]
)
def test_machines_that_have_kernels(workshop, fields):
    """What there are kernels for is let through."""
    assert project(workshop, fields).problems() == []


def test_facts(workshop):
    """The type and the bytes are known before: eight bits for the matrices, sixteen for the rest."""
    facts = project(workshop, "format: fp8").front().settlement.nodes["my-fast"].facts
    layers = 2 * (2 * 256 * 256 + 2 * 256 * 256 + 3 * 256 * 512)
    assert isinstance(facts, HfQuant)
    assert facts.type == "fp8 dynamic"
    assert facts.bytes is not None
    assert layers < facts.bytes < layers + 2 * (2 * 400 * 256 + 5 * 256) + 1


# --- an environment of its own ---


def test_the_list_is_exact():
    """Every package has one version, and the engine is among them with the transformers that it wants."""
    rows = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9a-z.]+", line) for line in rows)
    told = dict(line.split("==") for line in rows)
    assert len(told) == len(rows)
    assert told["llmcompressor"] == "0.14.0"
    assert told["transformers"].startswith("5.17")


@pytest.mark.parametrize("path", ["quant/recipe/to_compressed.py", "fidelity/recipe/prove_compressed.py"])
def test_a_script_with_an_environment_asks_for_no_package_here(path):
    """What it needs is in its list, so nothing is asked of the environment of the others; it says where the list is."""
    text = (TEMPLATES / path).read_text()
    assert named([text]) == ()
    assert module("lib/environments.py").asked(TEMPLATES / path) == Path("recipe/llmcompressor.txt")


@pytest.fixture
def environments(tmp_path, monkeypatch):
    """The module, with a place of its own and a list that is empty."""
    monkeypatch.setenv("ZYC_ENVIRONMENTS", str(tmp_path / "kept"))
    (tmp_path / "list.txt").write_text("# nothing\n")
    return module("lib/environments.py")


def test_another_list_is_another_environment(environments, tmp_path):
    """A folder belongs to one list; the same list has the same one."""
    listed = tmp_path / "list.txt"
    before = environments.folder(listed)
    assert environments.folder(listed) == before
    listed.write_text("other==1\n")
    assert environments.folder(listed) != before


def test_what_cannot_be_made_is_told(environments, tmp_path, monkeypatch):
    """A failed installation leaves nothing, says its last words, and the next step."""
    bad = [sys.executable, "-c", "print('no such package'); raise SystemExit(1)"]
    monkeypatch.setattr(environments, "commands", lambda *_: [bad])
    with pytest.raises(environments.Unavailable, match="no such package") as error:
        environments.ready(tmp_path / "list.txt")
    assert "help: it comes from the registry" in str(error.value)
    assert [each.name for each in (tmp_path / "kept").iterdir() if each.is_dir()] == []


@pytest.mark.slow
def test_an_environment_is_made_once(environments, tmp_path, monkeypatch):
    """A script runs with the Python of its environment, which is made the first time only."""
    python = environments.ready(tmp_path / "list.txt")
    monkeypatch.setattr(environments, "commands", lambda *_: pytest.fail("it is there"))
    assert environments.ready(tmp_path / "list.txt") == python
    assert python.exists()


def test_a_script_without_one_runs_where_it_is(environments, tmp_path):
    """Scripts that ask for none are left where they are, and words further down are no question."""
    (tmp_path / "to_a.py").write_text('# /// script\n# dependencies = ["numpy"]\n# ///\n# environment = "recipe/x.txt"\n')
    assert environments.asked(tmp_path / "to_a.py") is None


@pytest.mark.parametrize("each", [Awq(), Gptq(), Fp8(), Int8()], ids=lambda each: each.name)
def test_every_type_has_its_words(each):
    """A scheme and its bits for each type, and bounds for its proof."""
    assert set(each.types) == set(each.schemes) == set(each.bits)
    assert 0 < each.drift[0] < 0.1 < each.drift[1] < 1
