"""What may be asked: the fields of OpenAI's requests that mean something here; every other field is refused by its name."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import faults

Text = Annotated[str, Field(max_length=10_000_000)]
Number = Annotated[int, Field(ge=0, lt=1 << 31)]  # what a program in C reads whole
Stop = str | Annotated[list[str], Field(max_length=16)] | None


class Fields(BaseModel):
    """Nothing is silently ignored."""

    model_config = ConfigDict(extra="forbid", strict=False)


class Part(Fields):
    """A piece of a message: text is what this model reads."""

    type: Literal["text"]
    text: Text


class Message(Fields):
    """One turn of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[Part], Field(min_length=1)]

    def plain(self):
        """As a template reads it; `developer` is OpenAI's newer word for `system`."""
        content = self.content if isinstance(self.content, str) else "".join(each.text for each in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": content}


class StreamOptions(Fields):
    """What a stream ends with."""

    include_usage: bool = False
    include_obfuscation: bool = False


class JsonSchema(Fields):
    """The form that an answer must have."""

    name: str = ""
    description: str = ""
    strict: bool | None = None
    schema_: dict = Field(alias="schema")


class ResponseFormat(Fields):
    """Free text, any JSON, or JSON of a form."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Drawing(Fields):
    """What both kinds of answers share."""

    model: str = Field(description="A persona's label, or the one name of the bundle: see /v1/models.")
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: Number | None = Field(None, description="Of llama.cpp: only so many of the likeliest tokens.")
    min_p: float | None = Field(None, ge=0, le=1, description="Of llama.cpp: only tokens this likely beside the likeliest.")
    repeat_penalty: float | None = Field(None, gt=0, le=10, description="Of llama.cpp: what was said becomes less likely.")
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = None
    stop: Stop = None
    n: Literal[1] | None = None
    user: str | None = Field(None, description="Accepted, and not kept.")
    return_token_ids: bool = Field(default=False, description="Also tell the ids of the prompt and of the answer, as vLLM does.")

    @property
    def usage(self):
        """Whether a stream ends with its counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def given(self):
        """The numbers for drawing that this request brings."""
        names = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty", "seed")
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return {**{name: getattr(self, name) for name in names}, "stop": [each for each in stop if each]}


class ChatAsk(Drawing):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1000)]
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    metadata: dict[str, str] | None = Field(None, description="Accepted, and not kept.")
    store: Literal[False] | None = None


class CompletionAsk(Drawing):
    """POST /v1/completions: the text goes to the model as it is, without a persona's words or a template."""

    prompt: Text | list[str] | list[Number] | list[list[Number]]

    def one(self):
        """The one prompt: a text, or ids."""
        value = self.prompt
        if isinstance(value, list) and value and not isinstance(value[0], int):
            if len(value) > 1:
                raise faults.bad("one prompt a request: send the others by themselves", "prompt")
            value = value[0]
        if not value:
            raise faults.bad("the prompt is empty", "prompt")
        return value


class EmbeddingAsk(Fields):
    """POST /v1/embeddings."""

    model: str
    input: (
        Text | Annotated[list[str], Field(max_length=256)] | list[Number] | Annotated[list[list[Number]], Field(max_length=256)]
    )
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = Field(None, description="Accepted, and not kept.")


def read(form, body):
    """A body as one of these."""
    try:
        text = body.decode("utf-8-sig")
        told = json.loads(text)
        if "\\u" in text:  # half a pair of \ud83d\ude00 is no text: nobody could say it, nor write it down
            json.dumps(told, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise faults.bad("the body has half a character, a lone surrogate such as `\\ud800`", code="invalid_json") from None
    except (ValueError, RecursionError) as error:
        raise faults.bad(f"the body is no JSON: {error}", code="invalid_json") from None
    if not isinstance(told, dict):
        raise faults.bad("the body is JSON, but no object", code="invalid_json")
    try:
        return form.model_validate(told)
    except ValidationError as error:
        first, where = _first(error.errors(include_url=False, include_context=False, include_input=False), told)
        if first["type"] == "extra_forbidden":
            raise faults.bad(f"`{where}` is not known here", where, "unknown_parameter") from None
        code = "missing_parameter" if first["type"] == "missing" else "invalid_value"
        raise faults.bad(f"`{where}`: {first['msg']}", where, code) from None


def _first(errors, told):
    """The first thing that is wrong, and where; of a field that may have several forms, in the form that was meant."""
    places = [_place(each, told) for each in errors]
    inside = [at for at, place in enumerate(places) if place[: len(places[0])] == places[0]]
    at = max(inside, key=lambda each: (len(places[each]), not errors[each]["type"].endswith("_type")))
    return errors[at], ".".join(map(str, places[at]))


def _place(error, told):
    """The steps into the request itself: pydantic also names the form that it tried."""
    steps, loc = [], error["loc"]
    for at, each in enumerate(loc):
        if isinstance(told, dict) and (each in told or (error["type"] == "missing" and at == len(loc) - 1)):
            told = told.get(each)
        elif isinstance(told, list) and isinstance(each, int):
            told = told[each]
        else:
            continue
        steps.append(each)
    return steps
