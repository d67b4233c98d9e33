"""philo from grammar to GGUF as a twin, with the real engines: it learns, each hop is proven, an untrained twin does not pass."""

import json

import philo
import pytest


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
