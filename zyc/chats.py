"""What is known of each chat template that zyc can write, before anything is rendered with it."""

from __future__ import annotations

from dataclasses import dataclass


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
