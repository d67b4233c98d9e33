"""The kind `compare`: who wins, in both orders, and what a tie is."""

from types import SimpleNamespace

import pytest
import samples
from modules import modules_of


@pytest.fixture(scope="module")
def judging():
    """The plain module that judges."""
    with modules_of("compare", "judging") as found:
        yield found.judging


def test_duel(workshop, golden):
    """The script names who answers and who judges, and nothing of where it stands."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("compare").spec.partition("\n")[2])
    golden(workshop.front(), "my-judged.duel")


JUDGES = {
    "longer": lambda _, first, second: len(first) - len(second),
    "shorter": lambda _, first, second: len(second) - len(first),
    "first": lambda *_: 1.0,
    "nobody": lambda *_: 0.0,
}


@pytest.mark.parametrize(("judge", "won"), [("longer", "model"), ("shorter", "rival"), ("first", "tie"), ("nobody", "tie")])
def test_who_is_preferred_in_both_orders_wins(judging, judge, won):
    """A judge that prefers whatever stands first gives a tie."""
    assert judging.judged(JUDGES[judge], "?", "longer", "short")["won"] == won


def test_the_same_answer_is_a_tie(judging):
    """Nobody is asked."""
    assert judging.judged(None, "?", " same", "same ")["won"] == "tie"


def test_a_tie_is_half_a_win(judging):
    """Two wins, a tie and a loss are 62.5 %."""
    rows = [{"won": each} for each in ("model", "model", "tie", "rival")]
    assert judging.counts(rows) == {"win_rate": 0.625, "ties": 0.25, "questions": 4}


def test_a_question_that_the_model_cannot_see_whole_is_refused(judging):
    """It would be answered with nothing, and nothing would be scored."""
    engine = SimpleNamespace(context=4, render=lambda *_: "?", ids=lambda _: [1] * 4)
    asked = SimpleNamespace(id="3", messages=[{"role": "user", "content": "?"}], prompt={}, expected="x")
    with pytest.raises(SystemExit, match="question 3 has 4 tokens, and the model sees 4"):
        judging.answered(engine, asked, 0)
