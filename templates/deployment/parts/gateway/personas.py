"""Personas: what stands before a question and how answers are drawn, put together by the very modules that the exam uses."""

from __future__ import annotations

import json
from pathlib import Path

from asked import Asked, chat  # beside this package in a bundle
from chats import FROZEN

LONGEST = 256  # tokens of an answer where neither the persona nor the request says more: as in the exam
# the exam's own order: what was said counts less, then the heat, then what is cut away
ORDER = ("penalties", "temperature", "top_k", "top_p", "min_p")


class Persona:
    """One model of the API."""

    def __init__(self, label, told, folder=None):
        self.label, self.told = label, dict(told)
        self.sampling = dict(told.get("sampling") or {})
        if told.get("retrieval"):
            import retrieving

            self.told["index"] = retrieving.of_prompt(folder)

    @property
    def searches(self):
        """Whether passages are looked up, which takes a moment."""
        return self.told.get("index") is not None

    def messages(self, said):
        """The chat as the model gets it: system, examples, what was looked up, question."""
        return chat(Asked("", list(said), "", {}, self.told, self.label))

    @property
    def arguments(self):
        """What the chat template is given, frozen."""
        return {**FROZEN, **(self.told.get("arguments") or {})}


def of_bundle(bundle):
    """The personas by label; a model without any is one that says nothing before."""
    told = {}
    for label, place in bundle.prompts.items():
        folder = bundle.folder / place
        told[label] = Persona(label, json.loads((Path(folder) / "prompt.json").read_text(encoding="utf-8")), folder)
    return told or {bundle.name: Persona(bundle.name, {})}


class Template:
    """The chat template of a GGUF, rendered as its Python bindings do."""

    def __init__(self, source, *, bos="", eos=""):
        self.source, self.tokens = source, {"bos_token": bos, "eos_token": eos}
        self._compiled = _environment().from_string(source) if source else None

    def render(self, messages, arguments):
        """The text that an answer follows; a model that knows no chats is handed what was said, one turn a paragraph."""
        if self._compiled is None:
            return "\n\n".join(each["content"] for each in messages)
        nothing = {"functions": None, "function_call": None, "tools": None, "tool_choice": None}
        values = {**self.tokens, **nothing, "add_generation_prompt": True, "raise_exception": _refuse, "strftime_now": _now}
        return self._compiled.render(messages=messages, **{**values, **arguments})


def _environment():
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(jinja2.ext.Extension):
        """What marks trained text in a template, and says nothing here."""

        tags = {"generation"}

        def parse(self, parser):
            parser.stream.skip(1)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    made = ImmutableSandboxedEnvironment(
        loader=jinja2.BaseLoader(), trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = _to_json
    return made


def _to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):  # noqa: FBT002  # as templates call it
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message):
    raise ValueError(message)


def _now(form):
    from datetime import datetime

    return datetime.now().strftime(form)  # noqa: DTZ005  # a template means the day where it runs


def drawing(sampling, given, most):
    """What llama-server is told: the request's own numbers, then the persona's, then those of the exam."""

    def pick(name, otherwise):
        value = given.get(name)
        value = sampling.get(name) if value is None else value
        return otherwise if value is None else value

    seed = pick("seed", None)
    told = {
        "n_predict": most,
        "samplers": list(ORDER),
        "temperature": pick("temperature", 0.0),
        "top_k": pick("top_k", 0),
        "top_p": pick("top_p", 1.0),
        "min_p": pick("min_p", 0.0),
        "repeat_penalty": pick("repeat_penalty", 1.0),
        "presence_penalty": given.get("presence_penalty") or 0.0,
        "frequency_penalty": given.get("frequency_penalty") or 0.0,
        "repeat_last_n": 64,
        "stop": list(dict.fromkeys([*(sampling.get("stop") or []), *given.get("stop", [])])),
    }
    return told if seed is None else {**told, "seed": seed % (1 << 32)}
