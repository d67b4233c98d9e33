"""A model's folder as the converter must see it: the traps are looked for first, and nothing is left for it to guess."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

OURS = ("zyc.json", "training_template.jinja")  # not for the converter
REWRITTEN = ("config.json", "tokenizer_config.json", "README.md")
# places where an older template could stand beside the published one
TEMPLATES = ("chat_template.json", "additional_chat_templates")


class Trap(Exception):
    """Why a conversion would go wrong, perhaps without a word."""


@dataclass(frozen=True)
class Told:
    """What the converter would otherwise guess from files that do not always say it."""

    form: str
    pre: str | None  # of a byte-level tokenizer: how text is split first, by llama.cpp's name
    bos: bool | None  # whether a BOS stands before a chat; None: as the tokenizer has it
    space: bool | None  # whether a space is put before a text; None: as the tokenizer has it
    ends: int | None  # the id of the end of a turn


def read(source: Path) -> Told:
    """What is to be told, once no trap is left."""
    form = _json(source / "zyc.json").get("form")
    if form is None:
        raise Trap("`zyc.json` does not tell the tokenizer's `form`: build the model again with this zyc")
    if form == "sentencepiece-unigram":
        raise Trap("llama.cpp merges pieces by score: it reads a unigram tokenizer without a word, and cuts texts differently")
    sentencepiece = form.startswith("sentencepiece")
    if sentencepiece and not (source / "tokenizer.model").is_file():
        raise Trap(
            "`tokenizer.model` is missing. The converter would fall back to `tokenizer.json`, exit with 0, and a fifth of all"
            " texts would be cut differently: every save_pretrained loses the file, so copy it from the tokenizer again"
        )
    _rows(source)
    mine, tokenizer = _json(source / "zyc.json"), _json(source / "tokenizer.json")
    has_template = bool(mine.get("template"))
    return Told(
        form=form,
        pre=None if sentencepiece else mine.get("pre"),
        bos=bool(mine["begins"]) if has_template and mine.get("begins") is not None else None,
        space=_puts_a_space(tokenizer) if sentencepiece and tokenizer else None,
        ends=_id_of(tokenizer, mine.get("end_of_turn")),
    )


def stage(source: Path, folder: Path, licence: str | None = None) -> Path:
    """A folder of links to the model's files, with one chat template, the published one, and a card that tells the licence."""
    folder.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name not in (*OURS, *REWRITTEN, *TEMPLATES):
            (folder / path.name).symlink_to(os.path.realpath(path))
    config = _json(source / "config.json")
    config.pop("_name_or_path", None)  # a place on somebody's disk, which would become a name
    settings = _json(source / "tokenizer_config.json")
    settings.pop("chat_template", None)
    if (source / "tokenizer.model").is_file():
        settings["added_tokens_decoder"] = _added(source, settings.get("added_tokens_decoder", {}))
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
    if licence is not None or (source / "README.md").is_file():
        (folder / "README.md").write_text(_card(source / "README.md", licence))
    return folder


def _card(path: Path, licence: str | None) -> str:
    """The model's card: the only place where the converter looks for a licence."""
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    if licence is None:
        return card
    _, found, rest = card.partition("---\n") if card.startswith("---\n") else ("", "", card)
    front, _, text = rest.partition("\n---") if found else ("", "", rest)
    kept = [line for line in front.splitlines() if not line.startswith("license:")]
    return "\n".join(["---", *kept, f"license: {json.dumps(licence)}", "---", text.lstrip("\n")])


def _rows(source: Path) -> None:
    """A token without a row in the embedding would read what lies behind it."""
    config = _json(source / "config.json")
    rows = config.get("vocab_size", config.get("text_config", {}).get("vocab_size"))
    vocabulary = _vocabulary(_json(source / "tokenizer.json"))
    if rows is not None and vocabulary and max(vocabulary.values()) >= rows:
        token = max(vocabulary, key=lambda each: vocabulary[each])
        raise Trap(f"the token `{token}` has the id {vocabulary[token]}, and the embedding has {rows} rows")


def _added(source: Path, known: dict[str, object]) -> dict[str, object]:
    """The tokens that were added to a sentencepiece model: transformers 5 writes them to `tokenizer.json` only."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(source / "tokenizer.model"))
    told = dict(known)
    for token in _json(source / "tokenizer.json").get("added_tokens", ()):
        at = token["id"]
        beyond = at >= pieces.vocab_size() or pieces.IdToPiece(at) != token["content"]
        plain = beyond or not (pieces.IsControl(at) or pieces.IsUnknown(at) or pieces.IsUnused(at) or pieces.IsByte(at))
        if plain and str(at) not in told:
            told[str(at)] = {key: value for key, value in token.items() if key != "id"}
    return dict(sorted(told.items(), key=lambda each: int(each[0])))


def _puts_a_space(tokenizer: dict) -> bool:
    """Whether transformers puts a space before a text, by the rules of its `tokenizer.json`."""
    steps = [tokenizer.get(name) or {} for name in ("normalizer", "pre_tokenizer")]
    flat = [inner for step in steps for inner in (step, *step.get("normalizers", ()), *step.get("pretokenizers", ()))]
    return any(
        each.get("type") == "Prepend" or (each.get("type") == "Metaspace" and each.get("prepend_scheme", "always") != "never")
        for each in flat
    )


def _id_of(tokenizer: dict, token: str | None) -> int | None:
    return _vocabulary(tokenizer).get(token) if token else None


def _vocabulary(tokenizer: dict) -> dict[str, int]:
    told = tokenizer.get("model", {}).get("vocab", {})
    if isinstance(told, list):
        told = {piece: at for at, (piece, _) in enumerate(told)}
    return {**told, **{each["content"]: each["id"] for each in tokenizer.get("added_tokens", ())}}


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
