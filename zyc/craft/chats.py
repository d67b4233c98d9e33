"""What is known of each chat template that zyc can write, before anything is rendered with it."""

from __future__ import annotations

from dataclasses import dataclass

from zyc.craft.rendering import looked
from zyc.errors import guess

SPEAKS = "give the model a `chat_template`, such as chatml; a new one has that of its tokenizer"  # to a model without one
_AS_BYTES = ("qwen2",)  # transformers takes a tokenizer of theirs for byte-level, whatever its files say


@dataclass(frozen=True, slots=True)
class Chat:
    """The tokens of a chat template; its text stands in `templates/shared/chat_templates.py` under the same name."""

    end_of_turn: str
    begins: int = 0  # how many BOS stand before a chat, as those who made the format have it
    controls: tuple[str, ...] = ()  # tokens that no text may hold
    bos: str = "<s>"
    eos: str = "</s>"
    system: bool = True  # a system message has a place
    tools: bool = False  # so have tools, calls and their results

    def specials(self) -> tuple[str, ...]:
        """What must be one token each, besides BOS and the end of a text."""
        return tuple(each for each in self.controls if each not in (self.bos, self.eos))


def is_file(name: str) -> bool:
    """Whether a template that no table knows may be a file of the user's."""
    return name not in CHATS and ("/" in name or name.endswith((".jinja", ".j2", ".txt")))


def unknown(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a template, and the next step; nothing when it is one, or a file."""
    if name in CHATS or is_file(name):
        return None
    return f"no chat template is called `{name}`", f"{guess(name, CHATS)}; a file of yours ends in `.jinja`"


def misread(family: str | None, form: str | None) -> tuple[str, str] | None:
    """What is wrong with a family's models having a tokenizer of this form, and the next step; nothing when all read it alike."""
    if family not in _AS_BYTES or not (form or "").startswith("sentencepiece"):
        return None
    says = f"transformers takes the tokenizer of a `{family}` model for byte-level, whatever its files say"
    return says, "`algorithm: byte-bpe` in its tokenizer, or another family, such as qwen3"


def no_template(name: str, text: str) -> tuple[str, str] | None:
    """What is wrong with a chat template of the user's as Jinja, and the next step."""
    flaw = looked(text, eos="</s>").flaw if is_file(name) else ""
    return (f"`{name}` is no Jinja template: {flaw}", "mend that line; transformers reads it as we do") if flaw else None


def is_marked(name: str, text: str) -> bool:
    """Whether a template tells what an assistant says: each of ours does, one of the user's where it has marks."""
    return name in CHATS or looked(text, eos="</s>").marked


def endless(template: str | None, end_of_turn: str | None) -> tuple[str, str] | None:
    """What is wrong with training on the chats of a template that is known to write nothing behind an answer."""
    if not template or end_of_turn != "":
        return None
    return "the base's chat template writes nothing behind an answer: no model would learn to stop", SPEAKS


def unended(name: str, end_of_turn: str | None, text: str, *, eos: str | None = None) -> tuple[str, str] | None:
    """What is wrong with the end of an answer: without it a model never stops; `eos` is what the template has for one."""
    if name in CHATS:
        ends = CHATS[name].end_of_turn
        if end_of_turn in (None, ends):
            return None
        return f"an answer in `{name}` ends with `{ends}`, not with `{end_of_turn}`", "remove it, or write a template of yours"
    if not end_of_turn:
        return f"zyc does not know what ends an answer in `{name}`", "say it: `end_of_turn: <|im_end|>`"
    if end_of_turn not in text and "eos_token" not in text:
        says = f"`{name}` never writes `{end_of_turn}`: no model would learn to stop"
        return says, "write it behind what an assistant says, inside of the marks"
    seen = looked(text, eos=eos or end_of_turn)
    if seen.after is None:
        return None
    if end_of_turn not in seen.after:
        says = f"`{name}` does not write `{end_of_turn}` behind an answer: no model would learn to stop"
        return says, "write it there" + (", inside of the marks" if seen.marked else "")
    if seen.marked and not seen.learned.endswith(end_of_turn):
        says = f"the marks of `{name}` hold `{seen.learned}`, without `{end_of_turn}`: no model would learn to stop"
        return says, "write the end of an answer inside of the marks, and nothing behind it"
    return None


_IM = ("<|im_start|>", "<|im_end|>")
_INST = (
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_CALLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)
_HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_TURNS = ("<start_of_turn>", "<end_of_turn>")
_PHI = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")

CHATS: dict[str, Chat] = {
    "chatml": Chat("<|im_end|>", begins=1, controls=_IM, tools=True),  # a first token to look back at: tiny models need it
    "qwen": Chat("<|im_end|>", controls=_IM, eos="<|endoftext|>", tools=True),
    "qwen3": Chat("<|im_end|>", controls=_IM, eos="<|endoftext|>", tools=True),
    "qwen2": Chat("<|im_end|>", controls=_IM, eos="<|endoftext|>"),
    "smollm": Chat("<|im_end|>", controls=_IM, eos="<|endoftext|>"),
    "llama2": Chat("</s>", begins=1),
    "llama3": Chat("<|eot_id|>", begins=1, controls=_HEADERS, bos="<|begin_of_text|>", eos="<|end_of_text|>"),
    "llama3.1": Chat("<|eot_id|>", begins=1, controls=_HEADERS, bos="<|begin_of_text|>", eos="<|end_of_text|>", tools=True),
    "mistral": Chat("</s>", begins=1, controls=_INST, tools=True),
    "mistral-v0.1": Chat("</s>", begins=1),
    "gemma": Chat("<end_of_turn>", begins=1, controls=_TURNS, bos="<bos>", eos="<eos>", system=False),
    "gemma3": Chat("<end_of_turn>", begins=1, controls=_TURNS, bos="<bos>", eos="<eos>"),
    "zephyr": Chat("</s>"),
    "phi3": Chat("<|end|>", controls=_PHI, eos="<|endoftext|>"),
    "phi3.5": Chat("<|end|>", controls=_PHI, eos="<|endoftext|>"),
}
