"""philo as a twin, told: its ledger, one question along its chain, its models tensor by tensor, its page; with the real engines."""

import json
import subprocess
import sys

import philo
import pytest

CHAIN = ["base", "adapter", "fused", "F16", "served"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project once it is rehearsed."""
    folder = tmp_path_factory.mktemp("philo")
    philo.write(folder)
    philo.build(folder)
    return folder


def zyc(folder, *words):
    """The answer of a call about the twin, as data."""
    call = [sys.executable, "-m", "zyc", *words, "--twin", "--json"]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_ledger_says_that_it_still_is_the_same_model(project):
    """From adapter to file every hop is proven: same tokens, same template, hardly any divergence."""
    told = zyc(project, "ledger", "philo-lora")
    hops = {each["hop"]: each for each in told["hops"]}
    assert list(hops) == CHAIN
    assert told["says"].startswith("2 of 2 hops proven")
    for name in ("fused", "F16"):
        assert hops[name]["holds"] is True
        assert hops[name]["same_tokens"] == hops[name]["same_template"] == 1
        assert 0 <= hops[name]["kl"] <= 1e-3


@pytest.mark.slow
def test_one_question_is_answered_alike_from_adapter_to_server(project):
    """Three held-out questions: training changed the answers to those that are wanted, and nothing changed them afterwards."""
    told = zyc(project, "ask", "philo-lora", "--along")
    assert len(told["questions"]) == 3
    assert not told["errors"]
    for question in told["questions"]:
        answers = {each["hop"]: each for each in question["answers"]}
        assert list(answers) == CHAIN
        assert answers["adapter"]["same"] is False
        assert answers["adapter"]["text"] == question["wanted"]
        assert all(answers[name]["same"] for name in ("fused", "F16", "served"))
    again = zyc(project, "ask", "philo-lora", "--along")
    assert again == {**told, "again": True}


@pytest.mark.slow
def test_a_persona_stands_before_a_question(project):
    """Asked by itself, one form answers; another philosopher says another thing."""
    question = "Je me demande : comment séparer la patience et la parole ?"
    said = {}
    for persona in ("kant", "spinoza"):
        told = zyc(project, "ask", "philo-lora.fused.gguf", question, "--prompt", persona)
        (answer,) = told["questions"][0]["answers"]
        assert answer["hop"] == "F16"
        said[persona] = answer["text"]
    assert said["kant"].startswith("Par devoir")
    assert said["spinoza"].startswith("Par nécessité")


@pytest.mark.slow
def test_the_hop_that_changed_a_tensor_is_named(project):
    """From base to file: training changed the layers, and the converter no more than sixteen bits of another sort do."""
    told = zyc(project, "diff", "mistral-7b", "philo-lora.fused.gguf")
    hops = {each["hop"]: each for each in told["hops"]}
    assert list(hops) == ["philo-lora → philo-lora.fused", "philo-lora.fused.gguf"]
    assert hops["philo-lora → philo-lora.fused"]["mean"] > 1e-3
    assert hops["philo-lora.fused.gguf"]["mean"] < 1e-9
    tensors = {each["name"]: each for each in told["tensors"]}
    assert all(each["a"] and each["b"] for each in tensors.values()), "every name of one is known in the other"
    assert tensors["blk.0.attn_q.weight"]["cosine"] < 0.99999
    assert tensors["token_embd.weight"]["made"] in ([], [{"hop": "philo-lora.fused.gguf", "mean": pytest.approx(0, abs=1e-9)}])
    assert told["settings"] == []


@pytest.mark.slow
def test_the_page_of_a_rehearsal_shows_all_of_it(project):
    """Verdict, picture, ledger with the conversations that were asked, training, data; labelled as a rehearsal."""
    zyc(project, "ask", "philo-lora", "--along")
    told = zyc(project, "report")
    assert {each["node"] for each in told["reports"]} == {"mistral-7b", "philo-lora"}
    page = (project / told["index"]).read_text(encoding="utf-8")
    for text in (
        "rehearsal at toy size",
        "the rehearsal is whole",
        "its own report</a>",
        "<u>",
        "1,080 rows",
        'class="turn trained"',
    ):
        assert text in page, text
    assert page.count('<g class="edge measured">') == 3
    assert "<script" not in page
