"""The kind `text`: scores of answers beside reference texts."""

from types import SimpleNamespace

import pytest
import samples
from modules import modules_of


@pytest.fixture(scope="module")
def nearness():
    """The plain module that scores."""
    with modules_of("text", "nearness") as found:
        yield found.nearness


def test_answers(workshop, golden):
    """The script names the scores and the engine, and nothing of where it stands."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("text").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.near")


@pytest.mark.slow
def test_scores_are_shares(nearness):
    """The reference itself gets all, something else gets little, and letters with accents are letters."""
    same = [{"answer": "Le chat dort sur le canapé rouge.", "expected": "Le chat dort sur le canapé rouge."}]
    told = nearness.scored(same, ["bleu", "chrf", "rouge"])
    assert all(value == pytest.approx(1.0) for value in told.values())
    other = [{"answer": "Il pleut.", "expected": "Le chat dort sur le canapé rouge."}]
    assert all(value < 0.2 for value in nearness.scored(other, ["bleu", "chrf", "rouge"]).values())
    assert set(nearness.scored(same, ["chrf"])) == {"chrf"}
    assert nearness.alone(same[0], ["bleu", "chrf", "rouge"]) == pytest.approx(dict.fromkeys(("bleu", "chrf", "rouge"), 1.0))
    assert nearness.alone(other[0], ["chrf"])["chrf"] == pytest.approx(nearness.scored(other, ["chrf"])["chrf"], abs=0.05)
    assert nearness.rouge({"answer": "été", "expected": "état"}) == 0
    assert nearness.rouge({"answer": "Дом", "expected": "дом"}) == 1


def test_a_question_without_a_reference_is_refused(nearness):
    """Before the model is opened, with the row."""
    with pytest.raises(SystemExit, match="question 3 has no reference text"):
        nearness.look([SimpleNamespace(id="3", expected=" ")])


def test_a_question_that_the_model_cannot_see_whole_is_refused(nearness):
    """It would be answered with nothing, and nothing would be scored."""
    engine = SimpleNamespace(context=4, render=lambda *_: "?", ids=lambda _: [1] * 4)
    asked = SimpleNamespace(id="3", messages=[{"role": "user", "content": "?"}], prompt={}, expected="x")
    with pytest.raises(SystemExit, match="question 3 has 4 tokens, and the model sees 4"):
        nearness.answered(engine, asked, 0, ["chrf"])
