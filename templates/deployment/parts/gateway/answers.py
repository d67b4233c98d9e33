"""What the engine says, token by token -> OpenAI's answers, whole or as a stream that ends as a whole."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import aclosing

from . import faults, logs, wire

WHY = {"eos": "stop", "word": "stop", "limit": "length"}


class Answer:
    """One answer that is being made; what is known of it so far."""

    def __init__(self, gate, ask, body, prompt, *, chat):
        self.gate, self.ask, self.body, self.prompt, self.chat = gate, ask, body, prompt, chat
        self.id = f"{'chatcmpl' if chat else 'cmpl'}-{secrets.token_hex(12)}"
        self.made, self.began, self.first = int(time.time()), time.monotonic(), None
        self.read, self.tokens, self.ids, self.finish, self.texts = 0, 0, [], None, []

    async def pieces(self):
        """(text, its events' log-chances) as the engine writes them; a slot is held meanwhile."""
        gate = self.gate
        async with gate.slots.taken():
            engine = gate.engine
            if not engine.ready:
                raise faults.not_ready(engine.told()["state"])
            self.read = len(self.prompt)  # from here on it costs, whether or not anybody stays for the end
            try:
                async with aclosing(wire.events(engine, "/completion", {**self.body, "prompt": self.prompt})) as events:
                    async for event in events:
                        piece = self._take(event)
                        if piece[0] or piece[1]:
                            yield piece
            except wire.Refused as error:
                raise refused(error, "response_format" if "json_schema" in self.body else "prompt") from error
            except wire.Gone as error:
                raise faults.not_ready(f"{error}; it is being started again") from error
            if self.finish is None:
                raise faults.not_ready("the engine went away in the middle; it is being started again")

    def _take(self, event):
        if "error" in event:
            raise wire.Refused(500, event)
        if self.first is None:
            self.first = time.monotonic() - self.began
        self.tokens = event["tokens_predicted"]  # so far: an answer that is cut short is paid for, too
        if event["stop"]:
            self.finish = WHY.get(event["stop_type"], "stop")
        self.ids += event.get("tokens") or []
        if self.gate.settings.log_text and event["content"]:
            self.texts.append(event["content"])
        return event["content"], _chances(event.get("completion_probabilities") or [])

    def usage(self):
        """Tokens that were read and written until now."""
        return {"prompt_tokens": self.read, "completion_tokens": self.tokens, "total_tokens": self.read + self.tokens}

    async def whole(self):
        """One JSON object."""
        texts, chances = [], []
        async with aclosing(self.pieces()) as pieces:
            async for text, more in pieces:
                texts.append(text)
                chances += more
        said = "".join(texts)
        choice = {"index": 0, "finish_reason": self.finish, "logprobs": {"content": chances} if self._wants_chances else None}
        choice |= {"message": {"role": "assistant", "content": said, "refusal": None}} if self.chat else {"text": said}
        more = {"prompt_token_ids": self.prompt} if self.ask.return_token_ids else {}
        choice |= {"token_ids": self.ids} if self.ask.return_token_ids else {}
        return {**self._frame("" if self.chat else "text_completion"), "choices": [choice], "usage": self.usage(), **more}

    @property
    def _wants_chances(self):
        return bool(getattr(self.ask, "logprobs", None))

    def _frame(self, kind=""):
        return {"id": self.id, "object": kind or "chat.completion", "created": self.made, "model": self.ask.model}

    async def stream(self):
        """The bytes of a stream: the first piece comes only when it is sure that an answer begins."""
        frame = self._frame("chat.completion.chunk" if self.chat else "text_completion")
        if self.ask.usage:
            frame["usage"] = None

        def chunk(choice):
            return b"data: " + json.dumps({**frame, "choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"

        # the frame is written once: per token only its text is turned into JSON
        mark = "\u0001"
        said = {"delta": {"content": mark}} if self.chat else {"text": mark}
        before, after = chunk({"index": 0, **said, "logprobs": None, "finish_reason": None}).split(json.dumps(mark).encode())
        begun = False
        async with aclosing(self.pieces()) as pieces:
            async for text, chances in pieces:
                if self.chat and not begun:
                    begun = True
                    delta = {"role": "assistant", "content": ""}
                    yield chunk({"index": 0, "delta": delta, "logprobs": None, "finish_reason": None})
                if chances and self._wants_chances:
                    delta = {"index": 0, "delta": {"content": text}, "logprobs": {"content": chances}, "finish_reason": None}
                    yield chunk(delta)
                else:
                    yield before + json.dumps(text, ensure_ascii=False).encode() + after
        last = {"index": 0, **({"delta": {}} if self.chat else {"text": ""}), "logprobs": None, "finish_reason": self.finish}
        if self.ask.return_token_ids:
            last |= {"token_ids": self.ids}
        yield chunk(last)
        if self.ask.usage:
            yield b"data: " + json.dumps({**frame, "choices": [], "usage": self.usage()}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"


def _chances(probabilities):
    """Log-chances as OpenAI has them."""
    told = []
    for each in probabilities:
        top = [{name: one[name] for name in ("token", "logprob", "bytes")} for one in each.get("top_logprobs", [])]
        told.append({**{name: each[name] for name in ("token", "logprob", "bytes")}, "top_logprobs": top})
    return told


def refused(error, param):
    """What the engine would not do, as the fault of whoever asked, or of ours."""
    kind = error.told.get("type")
    if kind == "exceed_context_size_error":
        return faults.bad(str(error), code="context_length_exceeded")
    if error.status == 400 or kind == "invalid_request_error":  # a schema of no type, a grammar of none, ids of no token
        return faults.bad(str(error), param)
    logs.tell("engine_refused", "error", status=error.status, type=kind)
    return faults.Fault(500, "engine_error", "the engine could not answer")


async def or_gone(receive, work):
    """What the work gives; when the client goes away first, the work ends and nothing is given."""

    async def gone():
        while (await receive())["type"] != "http.disconnect":
            pass

    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result(), False
        return None, True
    finally:
        for each in (doing, leaving):
            each.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)
