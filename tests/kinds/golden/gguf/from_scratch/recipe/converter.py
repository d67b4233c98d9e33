"""llama.cpp's own converter, its file untouched, told what it would guess: pre-tokenizer, BOS, space, end of turn."""

import argparse
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# ids that the converter has by heart for one vocabulary, and writes for every model of the family
BY_HEART = ("prefix", "suffix", "middle", "fsep", "eot")


def tell(told: argparse.Namespace) -> None:
    """Answer the converter's guesses before it makes them."""
    import conversion.base
    import gguf

    _tell_specials(gguf.SpecialVocab, _added_ids(Path(told.model)), told)
    for name, value in (("add_add_bos_token", told.bos), ("add_add_space_prefix", told.space)):
        if value is not None:
            setattr(gguf.GGUFWriter, name, _answering(getattr(gguf.GGUFWriter, name), value=bool(value)))
    if told.pre:
        conversion.base.TextModel.get_vocab_base_pre = lambda *_: told.pre


def _tell_specials(special: Any, added: set[int], told: argparse.Namespace) -> None:
    set_token, write = vars(special)["_set_special_token"], special.add_to_gguf

    def set_known(self: Any, kind: str, at: int) -> None:
        if kind not in BY_HEART or at in added:
            set_token(self, kind, at)

    def write_told(self: Any, writer: Any, *quiet: bool) -> None:
        write(self, writer, *quiet)
        if told.bos is not None:
            writer.add_add_bos_token(bool(told.bos))
        if told.space is not None:
            writer.add_add_space_prefix(bool(told.space))
        if told.ends is not None and self.special_token_ids.get("eos") not in (None, told.ends):
            writer.add_eot_token_id(told.ends)

    for name, method in (("_set_special_token", set_known), ("add_to_gguf", write_told)):
        setattr(special, name, method)


def _answering(write: Callable[[Any, bool], None], *, value: bool) -> Callable[[Any, bool], None]:
    """A method of the writer that writes what was told, whatever was guessed."""
    return lambda writer, _: write(writer, value)


def _added_ids(model: Path) -> set[int]:
    return {each["id"] for each in json.loads((model / "tokenizer.json").read_text()).get("added_tokens", ())}


def main() -> None:
    """`converter.py --home LLAMA_CPP [--pre qwen2] [--bos 1] MODEL ...`: what it does not know, it hands on."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("model")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--pre")
    for name in ("--bos", "--space", "--ends"):
        parser.add_argument(name, type=int)
    told, theirs = parser.parse_known_args()
    # the converter and its own gguf package come before whatever is installed
    sys.path[:1] = [str(told.home), str(told.home / "gguf-py")]
    tell(told)
    script = told.home / "convert_hf_to_gguf.py"
    sys.argv = [str(script), told.model, *theirs]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
