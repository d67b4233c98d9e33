"""A chat template -> the conversation of MLC, which knows no Jinja: found by rendering, and rendered again as MLC does it.

MLC writes a system text once, in front, and each turn between a fixed beginning and a fixed end. What a template writes
there is found with chats of marked words. A template that cannot be said so is refused, or said for some chats only:
`systems` tells whether a chat must begin with a system (`always`), must not (`never`), or may (`either`).
"""

from __future__ import annotations

from typing import Any

SYSTEM, USER, OTHER, ANSWER = "zqsystemqz", "zquseroneqz", "zqusertwoqz", "zqansweroneqz"
PLACES = {"system": "{system_message}", "user": "{user_message}", "assistant": "{assistant_message}"}


class Unsayable(Exception):
    """What a template does that MLC cannot."""


def derive(tokenizer: Any, end_of_turn: str = "") -> tuple[dict[str, Any], str]:
    """The conversation, and which chats it is right for."""
    probe = _Probe(tokenizer)
    turns = _turns(probe)
    system, systems = _system(probe, turns["user"])
    told = {
        "name": "own",
        "system_prefix_token_ids": probe.begins,
        **system,
        "roles": {"user": turns["user"], "assistant": turns["assistant"]},
        "role_templates": {"user": PLACES["user"], "assistant": turns["said"] + PLACES["assistant"]},
        "messages": [],
        "seps": [turns["after_user"], turns["after_answer"]],
        "role_content_sep": "",
        "role_empty_sep": turns["empty"],
        "stop_str": [end_of_turn] if end_of_turn else [],
        "stop_token_ids": _stops(tokenizer, end_of_turn),
    }
    _hold(probe, told, systems)
    return told, systems


def _hold(probe: _Probe, told: dict[str, Any], systems: str) -> None:
    """Render chats of one turn and many again: what was found with a few of them holds for all, or is not said at all."""
    turns = [("user", USER), ("assistant", ANSWER), ("user", OTHER), ("assistant", SYSTEM), ("user", "zqthreeqz")]
    for head in ([], [("system", "zqheadqz")]):
        for long in (1, 3, 5):
            chat = [{"role": role, "content": text} for role, text in (*head, *turns[:long])]
            if suits(systems, chat) and render(told, chat) != probe.asked(chat):
                raise Unsayable("the template writes a turn otherwise when others stand before or behind it")


class _Probe:
    """The template, asked with marked words; the BOS that it writes is taken off its front."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        if tokenizer.chat_template is None:
            raise Unsayable("the model has no chat template")
        self._bos = tokenizer.bos_token or ""
        begun = self._text([("user", USER)], answered=False)
        self.begins = [tokenizer.bos_token_id] if self._bos and begun.startswith(self._bos) else []

    def _text(self, chat: list[tuple[str, str]], *, answered: bool) -> str:
        rows = [{"role": role, "content": text} for role, text in chat]
        return str(self._tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=not answered))

    def asked(self, chat: list[dict[str, str]]) -> str:
        """A chat that waits for an answer."""
        text = self._text([(each["role"], each["content"]) for each in chat], answered=False)
        return text.removeprefix(self._bos) if self.begins else text

    def between(self, *chat: tuple[str, str], answered: bool = False) -> list[str]:
        """What stands before the first marked word, between them, and behind the last."""
        text = self._text(list(chat), answered=answered)
        text = text.removeprefix(self._bos) if self.begins else text
        parts = []
        for _, word in chat:
            if text.count(word) != 1:
                raise Unsayable(f"the template leaves out what the {chat[0][0]} says, changes it, or moves it")
            before, _, text = text.partition(word)
            parts.append(before)
        return [*parts, text]


def _turns(probe: _Probe) -> dict[str, str]:
    """What stands round a question and an answer, wherever they are in a chat."""
    _, user_to_answer, answer_to_user, ends = probe.between(("user", USER), ("assistant", ANSWER), ("user", OTHER))
    after_answer = probe.between(("user", USER), ("assistant", ANSWER), answered=True)[-1]
    after_user = probe.between(("user", USER), answered=True)[-1]
    if (
        not answer_to_user.startswith(after_answer)
        or not ends.startswith(after_user)
        or not user_to_answer.startswith(after_user)
    ):
        raise Unsayable("the template ends a turn otherwise when another follows")
    user, said, asked = answer_to_user[len(after_answer) :], user_to_answer[len(after_user) :], ends[len(after_user) :]
    common = next(at for at in range(min(len(said), len(asked)), -1, -1) if said[:at] == asked[:at])
    return {
        "user": user,
        "assistant": said[:common],
        "said": said[common:],  # before an answer that is there
        "empty": asked[common:],  # before one that is not
        "after_user": after_user,
        "after_answer": after_answer,
    }


def _system(probe: _Probe, user: str) -> tuple[dict[str, Any], str]:
    """The system's text, the one that is there when nobody gives one, and which chats this is right for."""
    first = probe.between(("user", USER), ("assistant", ANSWER), ("user", OTHER))[0]
    none = {"system_template": "", "system_message": "", "add_role_after_system_message": True}
    try:
        before, behind = probe.between(("system", SYSTEM), ("user", USER), ("assistant", ANSWER), ("user", OTHER))[:2]
    except Exception as error:  # a template may refuse a system in words of its own
        if first != user:
            raise Unsayable("the template begins a chat otherwise than its later turns") from error
        return none, "never"
    named = bool(user) and behind.endswith(user)
    after = behind[: -len(user)] if named else behind
    told = {"system_template": f"{before}{PLACES['system']}{after}", "system_message": "", "add_role_after_system_message": named}
    usual = first[: -len(user)] if named and first.endswith(user) else first
    if usual.startswith(before) and usual.endswith(after) and len(usual) >= len(before) + len(after) and usual:
        return {**told, "system_message": usual[len(before) : len(usual) - len(after)]}, "either"
    return told, "always"


def _stops(tokenizer: Any, end_of_turn: str) -> list[int]:
    """Tokens that end an answer."""
    told = [tokenizer.convert_tokens_to_ids(end_of_turn)] if end_of_turn else []
    return list(dict.fromkeys(each for each in (*told, tokenizer.eos_token_id) if each is not None))


def render(told: dict[str, Any], chat: list[dict[str, str]]) -> str:
    """A chat that waits for an answer, as MLC makes its text."""
    rows, system = list(chat), told["system_message"]
    if rows and rows[0]["role"] == "system":
        system = rows.pop(0)["content"]
    head = told["system_template"].replace(PLACES["system"], system)
    parts = [head]
    for at, row in enumerate(rows):
        role = row["role"]
        first = at == 0 and head and not told["add_role_after_system_message"]
        parts.append("" if first else told["roles"][role] + told["role_content_sep"])
        parts.append(told["role_templates"][role].replace(PLACES[role], row["content"]))
        parts.append(told["seps"][role == "assistant" and len(told["seps"]) > 1])
    return "".join([*parts, told["roles"]["assistant"], told["role_empty_sep"]])


def suits(systems: str, chat: list[dict[str, str]]) -> bool:
    """Whether a chat is one of those that the conversation is right for."""
    there = bool(chat) and chat[0]["role"] == "system"
    return systems == "either" or there == (systems == "always")
