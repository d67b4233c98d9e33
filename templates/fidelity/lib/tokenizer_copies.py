"""Whether the tokenizer beside a quantized model is that of the model: ids of texts, and chats, to the byte, by two readers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import compare
import sayings


def read(folder: Path) -> Any:
    """The tokenizer of a folder; one that is not there is an error with a sentence."""
    from transformers import AutoTokenizer

    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            raise SystemExit(f"error: {folder} has no {name}: its tokenizer was lost")
    return AutoTokenizer.from_pretrained(folder)


def tokens(wanted: Any, folder: Path) -> compare.Tally:
    """The ids of several hundred texts: by transformers, and by the library that browsers and servers read the file with."""
    from tokenizers import Tokenizer

    found, plain, tally = read(folder), Tokenizer.from_file(str(folder / "tokenizer.json")), compare.Tally()
    plain.no_padding()
    plain.no_truncation()
    for text in (*sayings.texts(), *sayings.texts_with(compare.controls(wanted))):
        ids = list(wanted(text, add_special_tokens=False)["input_ids"])
        tally.add("transformers", text, ids, list(found(text, add_special_tokens=False)["input_ids"]))
        tally.add("tokenizers", text, ids, plain.encode(text, add_special_tokens=False).ids)
    return tally


def chats(wanted: Any, folder: Path) -> tuple[float, list[dict[str, object]]]:
    """The share of chats that are rendered alike: by transformers, and by plain Jinja from the template's own file."""
    found, path = read(folder), folder / "chat_template.jinja"
    if wanted.chat_template is None:
        return float(found.chat_template is None and not path.exists()), []
    if found.chat_template is None or not path.is_file():
        return 0.0, [{"engine": "transformers", "of": "chat_template.jinja", "here": "is not there"}]
    engines = {"transformers": compare.with_transformers(found), "jinja": _plain(found, path.read_text(encoding="utf-8"))}
    tally, _ = compare.same_template(compare.with_transformers(wanted), engines, compare.golden_chats(wanted))
    return tally.share, tally.examples


def _plain(tokenizer: Any, template: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        from jinja2 import TemplateError

        raise TemplateError(message)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    made.globals |= {"raise_exception": raise_exception, "strftime_now": time.strftime}
    made.filters["tojson"] = lambda value, **more: json.dumps(value, ensure_ascii=False, **more)
    compiled = made.from_string(template)

    def render(chat: list[dict[str, str]]) -> compare.Rendered:
        text = compiled.render(messages=chat, add_generation_prompt=True, **tokenizer.special_tokens_map)
        return compare.Rendered(text, list(tokenizer(text, add_special_tokens=False)["input_ids"]))

    return render
