# /// script
# requires-python = ">=3.11"
# dependencies = ["gguf", "llama-cpp-python", "numpy", "torch", "transformers"]
# ///
"""A talk in the terminal: what is said under a persona, put together and drawn as the exam does, written as it is made."""

import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np
from answering import opened
from asked import Asked, chat
from llama_home import VERSION
from sampler import LONGEST, before, choose

HELP = "/as PERSONA, /new for another talk, /quit"


class Talk:
    """A model, its personas, and what was said so far."""

    def __init__(self, told):
        self.engine = opened(told["engine"], told["folder"], context=told["context"], llama_cpp=told.get("llama_cpp") or VERSION)
        self.personas = {label: persona_in(folder) for label, folder in told["personas"].items()} or {"": {}}
        self.name, self.said, self.turn = next(iter(self.personas)), [], 0

    def change(self, name):
        """Another persona, and another talk."""
        if name not in self.personas:
            return f"there is no `{name}` here; there is {', '.join(filter(None, self.personas)) or 'nobody else'}"
        self.name, self.said = name, []
        return f"{name} answers"

    def answer(self, text):
        """The pieces of an answer; what was written until it was stopped counts as said."""
        persona = self.personas[self.name]
        asked = [*self.said, {"role": "user", "content": text}]
        ids = self._fitting(asked, persona)
        sampling = persona.get("sampling") or {}
        most = min(sampling.get("max_tokens") or LONGEST, self.engine.context - len(ids))
        dice = np.random.default_rng([sampling.get("seed") or time.time_ns(), self.turn])
        self.turn += 1
        told = ""
        try:
            for told in self._written(ids, sampling, most, dice):
                yield told
        finally:
            self.said = [*asked, {"role": "assistant", "content": told}] if told else self.said

    def _fitting(self, asked, persona):
        """Ids of the talk; its oldest turns are left out where it grew too long."""
        while True:
            text = self.engine.render(chat(Asked("", asked, "", {}, persona, self.name)), persona.get("arguments"))
            ids = self.engine.ids(text)
            if len(ids) < self.engine.context - 16:
                return ids
            if len(asked) < 3:
                raise ValueError(f"that is {len(ids):,} tokens, and the model sees {self.engine.context:,}: say it shorter")
            del asked[:2]

    def _written(self, ids, sampling, most, dice):
        stops = sampling.get("stop") or []
        made, logits = [], self.engine.read(ids)
        while len(made) < most:
            token = choose(logits, sampling, [*ids, *made], dice)
            if self.engine.ends(token):
                return
            made.append(token)
            told = self.engine.text(made)
            if any(each in told for each in stops):
                yield before(told, stops)
                return
            if not told.endswith("\ufffd"):  # half a letter
                yield told
            if len(made) < most:
                logits = self.engine.step(token)


def persona_in(folder):
    """A persona, with what it looks up."""
    told = json.loads((Path(folder) / "prompt.json").read_text(encoding="utf-8"))
    if told.get("retrieval"):
        import retrieving

        told["index"] = retrieving.of_prompt(folder)
    return told


def written(talk, text):
    """Write an answer as it comes; Ctrl-C ends it, and the talk goes on."""
    shown = 0
    answer = talk.answer(text)
    try:
        for told in answer:
            print(told[shown:], end="", flush=True)
            shown = len(told)
    except KeyboardInterrupt:
        print(" ...", end="")
    except ValueError as error:
        print(error, end="")
    finally:
        answer.close()
    print("\n", flush=True)


def obeyed(talk, line):
    """What a command says; nothing for the last one."""
    word, _, rest = line.partition(" ")
    if word in ("/quit", "/exit"):
        return None
    if word == "/new":
        talk.said = []
        return "a new talk"
    return talk.change(rest.strip()) if word == "/as" else HELP


def main():
    """Until the end of what is typed."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # lines can be edited
    told = json.loads(Path("talk.json").read_text(encoding="utf-8"))
    talk = Talk(told)
    others = f"; {', '.join(talk.personas)}" if len(talk.personas) > 1 else ""
    print(f"{told['node']}{f' as {talk.name}' if talk.name else ''}{others}   {HELP}\n", flush=True)
    try:
        while True:
            line = input(f"{talk.name} > " if talk.name else "> ").strip()
            if line.startswith("/"):
                says = obeyed(talk, line)
                if says is None:
                    break
                print(f"{says}\n", flush=True)
            elif line:
                written(talk, line)
    except (EOFError, KeyboardInterrupt):
        print()
    talk.engine.close()


if __name__ == "__main__":
    sys.exit(main())
