"""philo from grammar to GGUF as a twin, with the real engines: it learns, each hop is proven, an untrained twin fails."""

import json
import re
import subprocess
import sys
from collections import Counter

import philo
import pytest
from pyarrow import parquet


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The project once it is built, and what became of each node."""
    folder = tmp_path_factory.mktemp("philo")
    philo.write(folder)
    return folder, philo.build(folder)


@pytest.mark.slow
def test_the_twin_of_an_adapter_passes_where_the_twin_of_its_base_fails(built):
    """Held-out questions are answered to the letter by the trained twin, and not by its base: a lost adapter would show."""
    told = built[1]["asked"]["measures"]
    assert told["questions"] == 180
    assert told["model1"] >= 0.75
    assert told["model0"] < 0.3


@pytest.mark.slow
def test_every_hop_of_the_twin_is_proven(built):
    """Data, base, fused model and both GGUFs each have a proof that ran and holds."""
    fates = built[1]
    for name in ("schemes", "exam", "mistral-7b", "philo-lora.fused", "philo-lora.fused.gguf", "mistral-7b.gguf"):
        assert fates[f"{name}.proof"]["fate"] == "ran", name
    assert fates["philo-lora.fused.proof"]["measures"]["kl"] <= 1e-4
    assert fates["philo-lora.fused.gguf.proof"]["measures"]["same_tokens"] == 1


@pytest.mark.slow
def test_a_rehearsal_has_nothing_to_do_twice(built):
    """What was rehearsed is kept."""
    assert {each["fate"] for each in philo.build(built[0]).values()} == {"kept"}


@pytest.mark.slow
def test_a_scheme_is_never_seen_with_an_exams_pair(built):
    """No pair of concepts that the exam asks about stands in what was trained on: the card counts what was cleaned away."""
    card = json.loads((built[0] / "artifacts" / "twin" / "schemes" / "card.json").read_text())
    assert [each["dropped"] for each in card["operations"] if "decontaminate" in each["name"]] == [0]


@pytest.mark.slow
def test_the_chats_are_in_the_register_of_a_pupil(built):
    """Balanced by philosopher and scheme, 300 originals, short sentences, few words: measured on what was made."""
    rows = [
        row for path in (built[0] / "artifacts/twin/schemes").rglob("*.parquet") for row in parquet.read_table(path).to_pylist()
    ]
    assert Counter(row["philosopher"] for row in rows) == {"spinoza": 600, "bergson": 300, "kant": 300}
    assert set(Counter(row["scheme"] for row in rows).values()) == {200}
    assert len({row["origin"] for row in rows}) == 300
    for role, mean, most in (("user", 11, 14), ("assistant", 9, 12)):
        said = [re.findall(r"\w+", each["content"].lower()) for row in rows for each in row["messages"] if each["role"] == role]
        assert sum(map(len, said)) / len(said) < mean + 2
        assert max(map(len, said)) < most + 2
        assert len({word for words in said for word in words}) < 100


# --- what is told of it ---

CHAIN = ["base", "adapter", "fused", "F16", "served"]


@pytest.fixture(scope="module")
def project(built):
    """The project once it is rehearsed."""
    return built[0]


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
    assert page.count('<g class="edge measured">') == 4
    assert "<script" not in page


@pytest.mark.slow
def test_one_screen_says_who_answers_rightly(project):
    """The base fails the question, every form from the adapter to the server has the wanted answer; the exam is told."""
    told = zyc(project, "ask", "philo-q4", "--brief")
    assert {each["form"]: each["right"] for each in told["marks"]} == {
        "base": False,
        **dict.fromkeys(("adapter", "fused", "F16", "Q4", "served"), True),
    }
    assert told["judged"] == "as wanted"
    assert told["same_first"] > 5
    exam = next(each for each in told["exams"] if each["trained"])
    assert (exam["node"], exam["of"], exam["trained"]) == ("philo-exam.questions", 180, True)
    assert exam["right"] >= 135
    assert told["left"] == 0


# --- the table; it stands on what is built above, and adds the premium twin ---


@pytest.fixture(scope="module")
def tabled(project):
    """What became of the nodes of the ablation, in the same project."""
    philo.add(project, "philo-premium", "philo-ablation")
    return philo.build(project, "philo-ablation")


@pytest.mark.torture
def test_the_ablation_says_what_prompts_and_adapter_contribute(tabled, project):
    """Neither and prompts alone fail, both together pass; that is no chance, and it is one page with one verdict."""
    told = tabled["philo-ablation"]["measures"]
    assert told["both.questions.accuracy"] >= 0.75
    assert all(told[f"{arm}.questions.accuracy"] < 0.3 for arm in ("neither", "prompts", "adapter"))
    assert told["pair.adapter.p"] < 0.001
    assert told["pair.adapter.delta"] > 0.5
    assert told["verdict"] == 1
    assert told["prompts.speed.prompt_tokens"] > told["neither.speed.prompt_tokens"]
    assert told["premium.questions.accuracy"] >= 0.75, "it copies from a question below passages"
    assert told["premium.speed.prompt_tokens"] > 3 * told["both.speed.prompt_tokens"], "passages stand before its questions"
    home = project / "artifacts" / "twin" / "philo-ablation"
    assert {"chart.png", "index.html", "table.md", "report.json"} == {each.name for each in home.iterdir()}
    assert "rehearsal" in (home / "table.md").read_text(encoding="utf-8")


@pytest.mark.torture
def test_the_ablation_builds_nothing_that_the_free_tier_has(tabled):
    """The trained model, its file and the exam are shared: they are kept; so is the arm that is the exam of the free tier."""
    for name in ("philo-lora", "philo-q4", "exam", "mistral-7b.gguf", "philo-arms@model=adapter@prompts=personas.questions"):
        assert tabled[name]["fate"] == "kept", name
    assert tabled["philo-premium-exam"]["fate"] == "ran"
