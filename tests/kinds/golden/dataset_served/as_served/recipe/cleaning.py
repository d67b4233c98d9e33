"""What is done to one row after the other: texts that are repaired, rows that are dropped, each with what it was for."""

import hashlib
import re
import unicodedata
from functools import cache
from typing import NamedTuple

import forms
from reading import text_of_html


class Outcome(NamedTuple):
    """What an operation made of a row: another row, or nothing."""

    row: dict | None
    changed: bool = False
    why: str = ""
    note: str = ""  # what was found in it, for a count


def rewriting(change):
    """An operation that changes texts; a row of which something is left empty is dropped."""

    def apply(row, form, setting):
        told = forms.rewritten(row, form, lambda text: change(text, setting))
        if told == row:
            return Outcome(row)
        empty = forms.emptied(told, form)
        return Outcome(None, why=f"nothing is left of {empty}") if empty else Outcome(told, changed=True)

    return apply


def unicode(text, form):
    """One spelling of each letter."""
    return unicodedata.normalize(form.upper(), text)


def mojibake(text, _):
    """Text that was read in a wrong encoding, read in the right one."""
    import ftfy

    # quotes are the writer's own
    return ftfy.fix_text(text, uncurl_quotes=False, normalization=None)


def html(text, _):
    """Tags and entities made text; what has none stays as it is."""
    return text_of_html(text) if re.search(r"</?[a-zA-Z][^<>]*>|&[a-zA-Z]+;|&#\d+;", text) else text


def length(row, form, setting):
    """Rows of a bearable length, in characters."""
    count = sum(map(len, forms.texts(row, form)))
    if setting["min"] is not None and count < setting["min"]:
        return Outcome(None, why=f"{count:,} characters")
    if setting["max"] is not None and count > setting["max"]:
        return Outcome(None, why=f"{count:,} characters")
    return Outcome(row)


# --- language ---


@cache
def _detector(among):
    from lingua import IsoCode639_1, Language, LanguageDetectorBuilder

    languages = [Language.from_iso_code_639_1(getattr(IsoCode639_1, each.upper())) for each in among]
    builder = LanguageDetectorBuilder.from_languages(*languages) if among else LanguageDetectorBuilder.from_all_languages()
    return builder.build()


def language_of(text, among):
    """The language of a text as two letters, `??` when it tells none, and how sure that is."""
    values = _detector(tuple(among)).compute_language_confidence_values(text[:2_000])
    if not values or values[0].value == 0:
        return "??", 0.0
    return values[0].language.iso_code_639_1.name.lower(), values[0].value


def language(row, form, setting):
    """Rows in one of some languages."""
    told, sure = language_of("\n".join(forms.texts(row, form)), setting["among"])
    if told not in setting["keep"]:
        return Outcome(None, why=f"it is {told} ({sure:.0%})")
    if sure < setting["sure"]:
        return Outcome(None, why=f"it is {told}, but that is only {sure:.0%} sure")
    return Outcome(row, note=told)


# --- quality ---


def quality(row, form, setting):
    """Rows that read like something that a person wrote."""
    text = "\n".join(forms.texts(row, form))
    flaw = flaw_of(text, setting)
    return Outcome(None, why=flaw) if flaw else Outcome(row)


def flaw_of(text, bounds):
    """The first measure of a text that is out of bounds, in words."""
    words = text.split()
    if len(words) < bounds["words"]:
        return f"{len(words)} words"
    letters = sum(char.isalpha() for char in text)
    solid = sum(not char.isspace() for char in text)
    if letters < bounds["letters"] * solid:
        return f"{letters / max(1, solid):.0%} letters"
    mean = sum(map(len, words)) / max(1, len(words))
    if mean > bounds["word_length"]:
        return f"words of {mean:.1f} letters"
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    again = 1 - len({*lines}) / max(1, len(lines))
    if len(lines) >= 4 and again > bounds["repeated_lines"]:
        return f"{again:.0%} of its lines are repeated"
    grams = list(zip(words, words[1:], words[2:], strict=False))
    again = 1 - len({*grams}) / max(1, len(grams))
    if len(grams) >= 20 and again > bounds["repeated_words"]:
        return f"{again:.0%} of its runs of three words are repeated"
    return ""


# --- redaction ---

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
PHONE = re.compile(r"(?<![\w+.,/-])(?:\+|00)?\d(?:[ .\-/]?\(?\d\)?){7,13}(?![\w-])")
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
CARD = re.compile(r"(?<![\w.,+-])\d(?:[ -]?\d){12,18}(?![\w-])")


_NO_PHONE = re.compile(
    r"\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{4}"  # a date
    r"|\d{1,3}(?:[ .]\d{3})+"  # an amount
)


def _is_phone(text):
    """A number as phones have it: it begins with `+` or 0, or has parts; no date and no amount."""
    if _NO_PHONE.fullmatch(text) or not 8 <= len(re.sub(r"\D", "", text)) <= 15:
        return False
    return text.startswith(("+", "0")) or len(re.findall(r"[ .\-/]", text)) >= 2


def _is_iban(text):
    """Its checksum is right (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _is_card(text):
    """Its last digit is the right one (ISO 7812)."""
    digits = [int(char) for char in reversed(text) if char.isdigit()]
    return sum(each if at % 2 == 0 else sum(divmod(2 * each, 10)) for at, each in enumerate(digits)) % 10 == 0


_REDACTIONS = {
    "iban": (IBAN, _is_iban, "<IBAN>"),
    "card": (CARD, _is_card, "<CARD>"),
    "email": (EMAIL, lambda _: True, "<EMAIL>"),
    "phone": (PHONE, _is_phone, "<PHONE>"),
}


@cache
def _compiled(pattern):
    return re.compile(pattern)


def _without_phones(text):
    """Digits of an account or a card are no phone, whatever is looked for first: else half of them would stay."""
    pattern, meant, instead = _REDACTIONS["phone"]
    others = [_REDACTIONS[name][:2] for name in ("iban", "card")]
    parts, at = [], 0
    for start, end in sorted(found.span() for each, is_one in others for found in each.finditer(text) if is_one(found[0])):
        if start >= at:
            parts += [pattern.sub(lambda found: instead if meant(found[0]) else found[0], text[at:start]), text[start:end]]
            at = end
    return "".join([*parts, pattern.sub(lambda found: instead if meant(found[0]) else found[0], text[at:])])


def redact(text, settings):
    """Personal data replaced by what it was."""
    for setting in settings:
        if setting.get("what") == "phone":
            text = _without_phones(text)
            continue
        if "what" in setting:
            pattern, meant, instead = _REDACTIONS[setting["what"]]
        else:
            pattern, meant, instead = _compiled(setting["pattern"]), lambda _: True, setting["instead"]
        text = pattern.sub(lambda found, meant=meant, instead=instead: instead if meant(found[0]) else found[0], text)
    return text


# --- decontamination ---

RUN = 13  # words; a run of so many is no accident
_WORD = re.compile(r"\w+")
_ACCENT = re.compile(r"[\u0300-\u036f]+")


def words_of(text):
    """The words of a text, whatever their case, accents and marks."""
    text = text.casefold()
    return _WORD.findall(text if text.isascii() else _ACCENT.sub("", unicodedata.normalize("NFKD", text)))


def _hash(words):
    return hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()


def runs_of(texts):
    """What an exam asks, as runs of words by their length; a text of one to three words counts as a whole only."""
    runs, wholes = {}, set()
    for text in texts:
        words = words_of(text)
        if len(words) < 4:
            wholes.add(_hash(words))
            continue
        size = min(RUN, len(words))
        runs.setdefault(size, set()).update(_hash(words[at : at + size]) for at in range(len(words) - size + 1))
    wholes.discard(_hash([]))
    return runs, wholes


def decontaminate(row, form, setting):
    """Rows that do not hold what an exam asks."""
    runs, wholes = setting
    for text in forms.texts(row, form):
        words = words_of(text)
        if len(words) < 4 and _hash(words) in wholes:
            return Outcome(None, why="an exam asks it")
        for size, known in runs.items():
            for at in range(len(words) - size + 1):
                if _hash(words[at : at + size]) in known:
                    return Outcome(None, why=f"an exam asks: {' '.join(words[at : at + size])}")
    return Outcome(row)


# --- as served ---


def served(row, form, setting):
    """Chats under the prompts that they will be served with."""
    from under import under

    told = under(row, form, setting)
    return Outcome(told, changed=told != row)


OPERATIONS = {
    "unicode": rewriting(unicode),
    "mojibake": rewriting(mojibake),
    "html": rewriting(html),
    "redact": rewriting(redact),
    "length": length,
    "language": language,
    "quality": quality,
    "decontaminate": decontaminate,
    "served": served,
}
