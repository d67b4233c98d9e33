"""Kept answers: found by the whole of their question, never by a damaged file, and thrown away when nobody asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zyc.kept import Kept

plain = st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), lambda inner: st.tuples(inner, inner))


def written(kept, earlier=b""):
    """The file after a call."""
    text, replaces = kept.news()
    return text if replaces else earlier + text


@given(
    st.dictionaries(
        st.text(max_size=5), st.dictionaries(plain, plain.filter(lambda each: each is not None), max_size=5), max_size=3
    )
)
def test_what_is_kept_is_found(tables):
    """Every answer comes back for its own question, in a later call too."""
    kept = Kept("context")
    for table, answers in tables.items():
        for question, answer in answers.items():
            kept.keep(table, question, answer)
    later = Kept("context", written(kept))
    for table, answers in tables.items():
        for question, answer in answers.items():
            assert kept.get(table, question) == answer
            assert later.get(table, question) == answer
    assert later.get("no such table", "question") is None


def test_another_zyc_has_other_answers():
    """What another version of the code answered is no answer."""
    kept = Kept("one")
    kept.keep("table", "question", "answer")
    assert Kept("two", written(kept)).get("table", "question") is None


def test_segments_add_up():
    """Each call adds what is new; a call with nothing new writes nothing."""
    file = b""
    for number in range(5):
        kept = Kept("context", file)
        for earlier in range(number):
            assert kept.get("table", earlier) == f"answer {earlier}"
        kept.keep("table", number, f"answer {number}")
        file = written(kept, file)
    last = Kept("context", file)
    assert [last.get("table", number) for number in range(5)] == [f"answer {number}" for number in range(5)]
    assert last.news() == (b"", False)


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_a_file_that_is_cut_off_loses_its_end_only(cut):
    """What stands before a torn end is found, what is torn is not, and the next write mends the file."""
    first = Kept("context")
    first.keep("table", "first", "answer")
    whole = written(first)
    second = Kept("context", whole)
    second.get("table", "first")
    second.keep("table", "second", "answer")
    file = written(second, whole)
    torn = file[: max(len(whole) + 1, len(file) - 1 - cut)]
    kept = Kept("context", torn)
    assert kept.get("table", "first") == "answer"
    assert kept.get("table", "second") is None
    text, replaces = kept.news()
    assert replaces
    assert Kept("context", text).get("table", "first") == "answer"


@given(st.data())
def test_a_flipped_bit_is_never_an_answer(data):
    """A damaged file gives no wrong answer: a right one or none."""
    kept = Kept("context")
    for number in range(4):
        kept.keep("table", number, f"answer {number}")
    file = bytearray(written(kept))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= 1 << data.draw(st.integers(0, 7))
    damaged = Kept("context", bytes(file))
    for number in range(4):
        assert damaged.get("table", number) in (None, f"answer {number}")


def test_what_nobody_asks_for_any_more_is_dropped():
    """A file of old answers does not grow for ever: once most of them are not asked for, it is written anew without them."""
    kept = Kept("context")
    for number in range(5000):
        kept.keep("table", number, "answer")
    file = written(kept)
    later = Kept("context", file)
    later.keep("table", "new", "answer")
    small = written(later, file)
    assert len(small) < len(file) / 10
    assert Kept("context", small).get("table", "new") == "answer"
