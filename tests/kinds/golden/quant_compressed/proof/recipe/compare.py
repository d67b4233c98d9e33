"""Whether transformers and llama.cpp read a text and a chat alike: id for id, byte for byte, in every engine that serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize

from jinja2 import TemplateError, UndefinedError
from sayings import open_chats, texts_with
from sayings import texts as every_text

EXAMPLES = 5
Chat = list[dict[str, str]]


@dataclass
class Tally:
    """How many of how many are alike, with the first that are not."""

    same: int = 0
    of: int = 0
    examples: list[dict[str, object]] = field(default_factory=list)

    def add(self, what: str, text: object, wanted: object, found: object) -> None:
        """Count one comparison."""
        self.of += 1
        self.same += wanted == found
        if wanted != found and len(self.examples) < EXAMPLES:
            self.examples.append({"engine": what, "of": text, "transformers": wanted, "here": found})

    @property
    def share(self) -> float:
        """Of those that are alike; nothing to compare is alike."""
        return self.same / self.of if self.of else 1.0


def controls(tokenizer: Any) -> list[str]:
    """The special tokens, but for a `</s>` that ends no turn: see sayings."""
    usual = "</s>"
    return [each for each in tokenizer.all_special_tokens if each != usual or tokenizer.eos_token == usual]


def composes(tokenizer: Any) -> bool:
    """Whether transformers composes letters and their accents first (NFC), which llama.cpp never does: Qwen's do."""
    rule = tokenizer.backend_tokenizer.normalizer
    return rule is not None and rule.normalize_str("e\u0301") == "\u00e9"


def same_tokens(tokenizer: Any, llama: Any) -> Tally:
    """Texts as plain text, special tokens among them; and as a template has them, where they count."""
    tally, special = Tally(), texts_with(controls(tokenizer))
    texts = tuple(normalize("NFC", each) if composes(tokenizer) else each for each in every_text())
    for text in (*texts, *special):
        wanted = list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
        tally.add("text", text, wanted, llama.tokenize(text.encode(), add_bos=False, special=False))
    for text in (*texts, *special):
        wanted = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        tally.add("special", text, wanted, llama.tokenize(text.encode(), add_bos=False, special=True))
    return tally


@dataclass(frozen=True)
class Rendered:
    """A chat as an engine hands it to a model."""

    text: str
    ids: list[int]


Engine = Callable[[Chat], Rendered]


def with_transformers(tokenizer: Any) -> Engine:
    """The engine that the others are held against: it trained the model."""

    def render(chat: Chat) -> Rendered:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return Rendered(text, list(tokenizer(text, add_special_tokens=False)["input_ids"]))

    return render


def with_bindings(llama: Any) -> Engine:
    """What llama-cpp-python does with the template in the file: Python's Jinja, and no BOS of its own."""
    import llama_cpp
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    words = llama_cpp.llama_model_get_vocab(llama.model)

    def name(at: int) -> str:
        return llama_cpp.llama_vocab_get_text(words, at).decode() if at != -1 else ""

    template = llama.metadata["tokenizer.chat_template"]
    formatter = Jinja2ChatFormatter(template=template, eos_token=name(llama.token_eos()), bos_token=name(llama.token_bos()))

    def render(chat: Chat) -> Rendered:
        made = formatter(messages=chat)
        return Rendered(made.prompt, llama.tokenize(made.prompt.encode(), add_bos=not made.added_special, special=True))

    return render


def with_server(ask: Callable[[str, dict], dict], bos: str) -> Engine:
    """What llama-server does: another Jinja, in C++, which takes a BOS off the text and puts it before the ids again."""

    def render(chat: Chat) -> Rendered:
        text = ask("/apply-template", {"messages": chat})["prompt"]
        ids = ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]
        return Rendered(text if text.startswith(bos) else bos + text, ids)

    return render


def same_template(wanted: Engine, engines: dict[str, Engine], chats: Sequence[Chat]) -> tuple[Tally, int]:
    """Each chat in each engine, text and ids; and how many chats the template itself refuses, such as a system's."""
    tally, refused = Tally(), 0
    for chat in chats:
        try:
            told = wanted(chat)
        except TemplateError as error:  # it may refuse a chat, and must not break
            if isinstance(error, UndefinedError):
                raise
            refused += 1
            continue
        for name, engine in engines.items():
            try:
                here = engine(chat)
            except (TemplateError, ValueError, OSError) as error:  # what one engine cannot render is not alike
                tally.add(name, chat, told.text, f"{type(error).__name__}: {error}")
                continue
            tally.add(f"{name}, text", chat, told.text, here.text)
            tally.add(f"{name}, ids", chat, told.ids, here.ids)
    return tally, refused


def golden_chats(tokenizer: Any) -> tuple[Chat, ...]:
    """The chats for it: those that wait for an answer, special tokens written by users among them."""
    return open_chats(controls(tokenizer))


def leading(ids: Sequence[int], bos: int | None) -> int:
    """How many BOS stand at the front."""
    count = 0
    while bos is not None and count < len(ids) and ids[count] == bos:
        count += 1
    return count
