"""What the recipe of a dataset does to rows: each operation by itself, duplicates, splits, mixtures, shapes of columns."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import modules_of


@pytest.fixture(scope="module")
def recipe():
    """The modules that work on rows."""
    with modules_of("dataset", "cleaning", "duplicates", "splitting", "forms", "shards", "grammar") as found:
        yield found


def done(recipe, name, setting, text):
    """The text that an operation makes of one; nothing when it drops the row."""
    row = recipe.cleaning.OPERATIONS[name]({"text": text}, "text", setting).row
    return row and row["text"]


MAIL, PHONE, IBAN, CARD = [{"what": "email"}], [{"what": "phone"}], [{"what": "iban"}], [{"what": "card"}]
QUALITY = {"words": 3, "letters": 0.5, "word_length": 20, "repeated_lines": 0.5, "repeated_words": 0.6}
CASES = [
    ("unicode", "nfc", "e\u0301te\u0301", "été"),
    ("unicode", "nfkc", "ﬁn ①", "fin 1"),
    ("html", True, "<p>Un &amp; deux</p><script>no</script>", "Un & deux"),
    ("html", True, "1 < 2 et 3 > 2", "1 < 2 et 3 > 2"),
    ("html", True, "<br>", None),
    ("redact", MAIL, "écris à jean.dupont+x@mail.example.org, vite", "écris à <EMAIL>, vite"),
    ("redact", MAIL, "a@b et @handle", "a@b et @handle"),
    ("redact", PHONE, "appelle le +33 6 12 34 56 78 ou le 06.12.34.56.78", "appelle le <PHONE> ou le <PHONE>"),
    ("redact", PHONE, "le 2024-05-17, 12 345 678 euros et 3.14159265", "le 2024-05-17, 12 345 678 euros et 3.14159265"),
    ("redact", IBAN, "FR76 3000 6000 0112 3456 7890 189", "<IBAN>"),
    ("redact", IBAN, "FR76 3000 6000 0112 3456 7890 188", "FR76 3000 6000 0112 3456 7890 188"),
    ("redact", [*MAIL, *PHONE, *IBAN], "DE89 3704 0044 0532 0130 00, tel. 06 12 34 56 78", "<IBAN>, tel. <PHONE>"),
    ("redact", PHONE, "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("redact", [*PHONE, *CARD], "4111 1111 1111 1111 ou 4111-1111-1111-1112", "<CARD> ou 4111-1111-1111-1112"),
    ("redact", [{"pattern": r"\d+", "instead": "#"}], "a 12 b 3", "a # b #"),
    ("length", {"min": 3, "max": None}, "ab", None),
    ("length", {"min": None, "max": 3}, "abcd", None),
    ("length", {"min": 1, "max": 3}, "abc", "abc"),
    ("quality", QUALITY, "A whole sentence that somebody wrote.", "A whole sentence that somebody wrote."),
    ("quality", QUALITY, "two words", None),
    ("quality", QUALITY, "12 34 56 78 !! ?? ##", None),
    ("quality", QUALITY, "buy now\n" * 6, None),
    ("quality", QUALITY, "so and so " * 12, None),
    ("quality", QUALITY, "x" * 30 + " " + "y" * 30 + " " + "z" * 30, None),
]


@pytest.mark.parametrize(("name", "setting", "before", "after"), CASES)
def test_an_operation(recipe, name, setting, before, after):
    """What each operation makes of a text, and what it leaves alone."""
    assert done(recipe, name, setting, before) == after


def test_mojibake(recipe):
    """Text that was read in a wrong encoding is read in the right one; quotes stay as they are written."""
    setting = True
    assert done(recipe, "mojibake", setting, "libertÃ© d\u2019être “là”") == "liberté d\u2019être “là”"


@pytest.mark.slow
def test_language(recipe):
    """Rows in other languages go, and the card can say which one a row is in."""
    french, german = "La liberté est l'intelligence de la nécessité.", "Freiheit ist Einsicht in die Notwendigkeit."
    setting = {"keep": ["fr"], "among": ["fr", "de", "en"], "sure": 0.0}
    assert done(recipe, "language", setting, french) == french
    outcome = recipe.cleaning.language({"text": german}, "text", setting)
    assert (outcome.row, outcome.why.partition(" (")[0]) == (None, "it is de")
    assert recipe.cleaning.language({"text": french}, "text", setting).note == "fr"
    assert recipe.cleaning.language({"text": french}, "text", {**setting, "sure": 1.1}).row is None


def test_decontamination(recipe):
    """A row that holds what an exam asks goes, whatever its case, accents and marks; short questions count as a whole only."""
    long = "Pourquoi la joie mène-t-elle à la liberté selon Spinoza, et non l'inverse, dans la cinquième partie de l'Éthique ?"
    setting = recipe.cleaning.runs_of(["Quelle est la capitale du Pérou ?", "Qui ?", long])

    def stays(text):
        return done(recipe, "decontaminate", setting, text) is not None

    assert not stays("Dis-moi : QUELLE est la capitale du Perou, au fait ?")
    assert not stays("qui?")
    assert stays("Dis-moi qui parle.")
    assert stays("Quelle est la capitale du Chili ?")
    assert not stays("Elle demande pourquoi la joie mène-t-elle à la liberté selon Spinoza, et non l'inverse : voilà.")
    assert stays("Pourquoi la joie mène-t-elle à la liberté ?")


# --- duplicates ---


def kept(recipe, tmp_path, texts, *, similarity=None):
    """The texts that stay."""
    rows = [{"text": text} for text in texts]
    path = tmp_path / "keys"
    if similarity is None:
        path.write_bytes(b"".join(recipe.forms.digest(row, "text") for row in rows))
        drop = recipe.duplicates.repeated(path, len(rows))
    else:
        path.write_bytes(b"".join(recipe.duplicates.signature(row, "text") for row in rows))
        drop = recipe.duplicates.similar(path, len(rows), similarity)
    return [text for text, gone in zip(texts, drop, strict=True) if not gone]


@given(st.lists(st.sampled_from(["a", "b", "c d", "c  d", "é", "e\u0301"]), max_size=30))
@settings(deadline=None, max_examples=60)
def test_exact_duplicates(tmp_path_factory, texts):
    """Of texts that are the same to the byte the first one stays, and the order too."""
    with modules_of("dataset", "duplicates", "forms") as recipe:
        assert kept(recipe, tmp_path_factory.mktemp("keys"), texts) == list(dict.fromkeys(texts))


def test_near_duplicates(recipe, tmp_path):
    """A text with a word of sixty changed is nearly the same; another one of the same words in another order is not."""
    draw = np.random.default_rng(1)
    words = [f"w{at}" for at in range(500)]
    base = [" ".join(draw.choice(words, 60)) for _ in range(200)]
    changed = [text.replace(text.split()[30], "other", 1) for text in base[:50]]
    turned = [" ".join(reversed(text.split())) for text in base[:50]]
    left = kept(recipe, tmp_path, [*base, *changed, *turned], similarity=0.8)
    assert left[:200] == base
    assert sum(text in left for text in changed) <= 2
    assert sum(text in left for text in turned) == 50


@pytest.mark.parametrize("seed", range(8))
def test_no_row_goes_for_the_sake_of_one_that_goes(recipe, tmp_path, seed):
    """Of rows that drift and that met, no two that are alike stay, and whatever goes is like one that stays."""
    draw, duplicates = np.random.default_rng(seed), recipe.duplicates
    rows = [draw.integers(0, 1 << 32, 128, dtype=np.uint32)]
    for _ in range(119):
        rows.append(rows[-1].copy())
        rows[-1][draw.choice(128, 12, replace=False)] = draw.integers(0, 1 << 32, 12)
    table, path = np.array(rows, dtype="<u4")[draw.permutation(120)], tmp_path / "keys"
    path.write_bytes(table.tobytes())
    drop = duplicates.similar(path, 120, 0.8)
    bands, height = duplicates.bands_of(0.8)
    same = table[:, None] == table[None]
    met = same[:, :, : bands * height].reshape(120, 120, bands, height).all(axis=3).any(axis=2)
    alike = met & (same.mean(axis=2) >= 0.8) & ~np.eye(120, dtype=bool)
    assert 10 < drop.sum() < 110
    assert not alike[~drop][:, ~drop].any()
    assert alike[drop][:, ~drop].any(axis=1).all()
    assert (duplicates.similar(path, 120, 0.8) == drop).all()


# --- splits ---


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=20, max_size=120),
    st.sampled_from([0.1, 0.25, 0.5]),
    st.integers(0, 3),
)
@settings(deadline=None, max_examples=80)
def test_a_group_is_on_one_side(rows, share, seed):
    """Whatever the groups and strata are, no group is on both sides, and the same rows are chosen each time."""
    with modules_of("dataset", "splitting") as recipe:
        groups = np.array([recipe.splitting.number(group) for group, _ in rows], dtype=np.uint64)
        strata = np.array([stratum for _, stratum in rows])
        targets = recipe.splitting.shares(np.bincount(strata, minlength=3), share)
        test = recipe.splitting.chosen(groups, strata, targets, seed)
        assert not {*groups[test]} & {*groups[~test]}
        assert (recipe.splitting.chosen(groups, strata, targets, seed) == test).all()


def test_strata_keep_their_share(recipe):
    """Where rows stand alone, each stratum is held out to the row; with groups, as near as groups allow."""
    strata = np.repeat([0, 1, 2], [600, 300, 100])
    alone = np.arange(1_000, dtype=np.uint64)
    targets = recipe.splitting.shares(np.bincount(strata), 0.1)
    assert list(targets) == [60, 30, 10]
    assert list(np.bincount(strata[recipe.splitting.chosen(alone, strata, targets, 7)])) == [60, 30, 10]
    fours = recipe.splitting.chosen(alone // np.uint64(4), strata, targets, 7)
    assert np.abs(np.bincount(strata[fours]) - targets).max() <= 2
    other = recipe.splitting.chosen(alone, strata, targets, 8)
    assert (other != recipe.splitting.chosen(alone, strata, targets, 7)).any()


def test_a_mixture_has_its_shares(recipe):
    """As many rows as the scarcest source allows, each source with its share, whatever stands beside them."""
    sources = np.repeat([0, 1, 2], [1_000, 100, 50])
    keep = recipe.splitting.mixture(sources, [0.8, 0.2, None], 3)
    assert Counter(sources[keep].tolist()) == {0: 400, 1: 100, 2: 50}


def test_shares_are_whole(recipe):
    """Rounding loses and wins no row."""
    assert list(recipe.splitting.shares([3, 3, 4], 0.5)) == [2, 1, 2]
    assert sum(recipe.splitting.shares([1] * 10, 0.1)) == 1


# --- shapes ---


def test_columns_of_any_kind_have_one_schema(recipe):
    """What differs from row to row is widened, or kept as JSON, and comes back."""
    rows = [
        {"a": 1, "b": [], "c": {"x": 1}, "d": "t"},
        {"a": 1.5, "b": ["q"], "c": {"y": [None]}, "d": 2},
        {"a": None, "b": None},
    ]
    shape = None
    for row in rows:
        shape = recipe.shards.merged(shape, recipe.shards.shape_of(row))
    schema = recipe.shards.schema_of(shape)
    assert {field.name: str(field.type) for field in schema} == {
        "a": "double",
        "b": "list<item: string>",
        "c": "struct<x: int64, y: list<item: string>>",
        "d": "string",
    }
    fitted = {name: recipe.shards.fitted(rows[1].get(name), each) for name, each in shape.items()}
    assert fitted == {"a": 1.5, "b": ["q"], "c": {"x": None, "y": [None]}, "d": "2"}
