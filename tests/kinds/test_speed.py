"""The kind `speed`: what a plan says of times and memory on a class of machines, and how times become measures."""

import pytest
import samples
from modules import modules_of


@pytest.fixture(scope="module")
def timing():
    """The plain module that takes times."""
    with modules_of("speed", "timing") as found:
        yield found.timing


def test_alone(workshop, golden):
    """The script says how long questions and answers are, and needs no server for one client."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("speed").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.speed")


def test_tails_are_nearest_ranks(timing):
    """Nineteen of twenty stay under or at it; one alone is its own tail."""
    assert timing.percentile(range(1, 101), 0.95) == 95
    assert timing.percentile(range(1, 21), 0.95) == 19
    assert timing.percentile([3, 1, 2], 0.5) == 2
    assert timing.percentile([7], 0.95) == 7


def test_rates_of_one_client_and_of_several(timing):
    """Alone it is the pace of writing; together it is all tokens between the first question and the last answer."""
    one = [timing.Run(1.0, 3.0, 11, ended) for ended in (3.0, 6.0)]
    assert timing.measures(one, None, 40)["tokens_per_second"] == pytest.approx(5)
    two = [timing.Run(1.0, 3.0, 11, 3.0), timing.Run(1.0, 3.0, 11, 3.0)]
    assert timing.measures(two, 10, 40) == {
        "first_token": 1.0, "answer_p50": 3.0, "answer_p95": 3.0, "tokens_per_second": pytest.approx(22 / 3),
        "prompt_per_second": 40.0, "memory_peak": 10,
    }  # fmt: skip


def test_a_question_has_exactly_so_many_tokens(timing):
    """Its end, with what opens the answer, is always there."""
    found = timing.question(lambda text: [ord(each) for each in text], lambda chat, _: f"<{chat[-1]['content']}>answer>", {}, 40)
    assert len(found) == 40
    assert "".join(map(chr, found)).endswith("answer>")
