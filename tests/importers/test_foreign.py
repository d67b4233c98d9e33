"""YAML as other tools read it: anchors and merges, words for true and false, doubles; and never a traceback."""

import pytest
from importers.importing import told

from zyc.errors import ZycError
from zyc.importers import values
from zyc.source import Scalar
from zyc.source.foreign import flag_of, read_foreign


def scalar(text, *, plain=True):
    """A scalar as if it were written so."""
    return Scalar.at(text, 1, 1, 1, plain=plain)


def test_merge_keys_bring_fields():
    """`<<` brings the fields of one mapping or several; a mapping's own count more, and earlier ones more than later ones."""
    root = read_foreign(
        b"a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, x: 9}\nd: {<<: [*a, *b]}\ne: &e {<<: *a, w: 5}\nf: {<<: *e}\n",
        "x.yml",
    ).root
    assert root["c"] == {"x": "9", "y": "2"}
    assert root["d"] == {"x": "1", "y": "2", "z": "4"}
    assert root["f"] == {"w": "5", "x": "1", "y": "2"}


def test_what_is_merged_is_imported():
    """A key that a merge brings is mapped, told at the line where it is written; the anchor's own key has no effect."""
    seen = told(
        """
        common: &common
          micro_batch_size: 4
          learning_rate: 1e-5
        <<: *common
        base_model: a/b
        datasets: [{path: data/x.jsonl, type: alpaca}]
        """,
        "axolotl",
    )
    assert seen.row("micro_batch_size").span.line == 3
    assert seen["finetunes.run.placement.micro_batch"] == "4"
    assert seen.without_effect["common"] == "only there to be repeated elsewhere (an anchor)"


def test_of_two_equal_keys_the_last_one_counts():
    """As in the tools' own parser; the first is told to have no effect."""
    seen = told("base_model: a/b\nseed: 1\nseed: 2\ndatasets: [{path: data/x.jsonl, type: alpaca}]", "axolotl")
    rows = [row for row in seen.made.rows if row.key == "seed"]
    assert [(row.span.line, row.fate.value) for row in rows] == [(2, "no effect"), (3, "becomes")]
    assert seen["finetunes.run.train.seed"] == "2"


@pytest.mark.parametrize(
    ("text", "meant"), [("yes", True), ("On", True), ("TRUE", True), ("no", False), ("off", False), ("y", None), ("1", None)]
)
def test_words_for_true_and_false_are_those_of_yaml_1_1(text, meant):
    """`yes` and `off` are booleans there, and only without quotes."""
    assert flag_of(scalar(text)) is meant
    assert flag_of(scalar(text, plain=False)) is None


@pytest.mark.parametrize(
    ("read", "text", "meant"),
    [
        (values.number, "2e-4", "2e-4"),
        (values.number, "1_000", "1000"),
        (values.number, ".5", ".5"),
        (values.integer, "3.0", 3),
        (values.share, "0.05", "5%"),
        (values.share, "1e-3", "0.1%"),
        (values.words, "a", ["a"]),
        (values.comma_words, "a, b,", ["a", "b"]),
        (values.plainly, "off", False),
        (values.plainly, "~", None),
    ],
)
def test_values_are_read_as_they_are_meant(read, text, meant):
    """Numbers keep their digits."""
    assert read(scalar(text)) == meant


@pytest.mark.parametrize(
    ("read", "text"), [(values.number, "many"), (values.integer, "1.5"), (values.flag, "maybe"), (values.number, "")]
)
def test_a_value_of_another_form_is_refused(read, text):
    """And says what was expected."""
    with pytest.raises(values.Wrong, match=r"number|true"):
        read(scalar(text))


def test_a_wrong_value_is_a_refused_key():
    """The key is told with what it takes."""
    seen = told("base_model: a/b\nmicro_batch_size: many\ndatasets: [{path: data/x.jsonl, type: alpaca}]", "axolotl")
    assert seen.refused == {"micro_batch_size": "expected a number"}


def test_a_value_that_the_kind_refuses_is_a_refused_key():
    """What a kind says of a field is said of the key that it comes from."""
    seen = told("base_model: a/b\nlearning_rate: -1\ndatasets: [{path: data/x.jsonl, type: alpaca}]", "axolotl")
    assert "learning_rate" in seen.refused
    assert "finetunes.run.train.learning_rate" not in seen


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b",
        "just text",
        "a: [1, 2",
        "a: !!python/object:os.system {}",
        "a: &a {b: *a}",
        "\t- x: 1",
        "a: 1\n---\nb: 2",
        "a: \x01",
    ],
)
def test_what_is_no_mapping_of_settings_is_an_error_with_a_place(text):
    """Broken files are told as broken specs are."""
    with pytest.raises(ZycError) as caught:
        told(text)
    assert all(each.message for each in caught.value.problems)


def test_an_alias_bomb_is_refused():
    """What aliases repeat is bounded."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 8))
    with pytest.raises(ZycError):
        told(bomb, "axolotl")


def test_a_file_of_nobody_is_asked_about():
    """A file that no tool's keys are in is refused with the option that says whose it is."""
    with pytest.raises(ZycError) as caught:
        told("colour: green")
    assert "`--from`" in caught.value.problems[0].help


def test_an_expression_of_theirs_is_none_of_ours():
    """A text that holds `$(` is written so that it stays text."""
    seen = told("base_model: a/b\ntokens: ['$(env.HOME)']\ndatasets: [{path: data/x.jsonl, type: alpaca}]", "axolotl")
    assert "$$(env.HOME)" in seen.made.text


def test_names_that_are_taken_get_a_number():
    """Nodes of the project keep their names."""
    from importers.importing import Told

    from zyc.importers import Asked, read

    text = b"base_model: a/b\ndatasets: [{path: data/b.jsonl, type: alpaca}]"
    made = Told(read(text, "x.yml", tool="axolotl", asked=Asked("run", taken=frozenset({"b", "run"}))))
    assert made["finetunes.run-2.base"] == "b-2"
    assert made["finetunes.run-2.data"] == "b-3"
