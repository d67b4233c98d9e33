"""Ollama's Modelfile: a model, and a prompt with its system message, examples and sampling."""

from __future__ import annotations

import re

from zyc import catalogue
from zyc.importers import values
from zyc.importers.draft import Node, as_name
from zyc.importers.rules import nothing, refused, table, together
from zyc.importers.values import Plain
from zyc.importers.work import Work
from zyc.source import Scalar, Seq, Value

MARKS = ("from", "parameter", "template", "system", "message", "adapter")
_SAMPLING = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "num_predict": "max_tokens",
    "stop": "stop", "repeat_penalty": "repeat_penalty", "seed": "seed",
}  # fmt: skip
# names of Ollama's library, each with the repository that its weights come from
_LIBRARY = {
    "llama2": "meta-llama/Llama-2-7b-chat-hf", "llama3": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama3.1": "meta-llama/Llama-3.1-8B-Instruct", "llama3.2": "meta-llama/Llama-3.2-3B-Instruct",
    "llama3.2:1b": "meta-llama/Llama-3.2-1B-Instruct", "mistral": "mistralai/Mistral-7B-Instruct-v0.3",
    "qwen2.5": "Qwen/Qwen2.5-7B-Instruct", "qwen2.5:0.5b": "Qwen/Qwen2.5-0.5B-Instruct",
    "qwen2.5:1.5b": "Qwen/Qwen2.5-1.5B-Instruct",
    "qwen2.5:3b": "Qwen/Qwen2.5-3B-Instruct", "qwen2.5:14b": "Qwen/Qwen2.5-14B-Instruct", "qwen3": "Qwen/Qwen3-8B",
    "qwen3:0.6b": "Qwen/Qwen3-0.6B", "qwen3:1.7b": "Qwen/Qwen3-1.7B", "qwen3:4b": "Qwen/Qwen3-4B",
    "qwen2.5-coder": "Qwen/Qwen2.5-Coder-7B-Instruct", "gemma2": "google/gemma-2-9b-it", "gemma2:2b": "google/gemma-2-2b-it",
    "gemma3:1b": "google/gemma-3-1b-it", "phi3": "microsoft/Phi-3-mini-4k-instruct", "phi3.5": "microsoft/Phi-3.5-mini-instruct",
    "tinyllama": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "smollm2:135m": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "smollm2:360m": "HuggingFaceTB/SmolLM2-360M-Instruct", "smollm2": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
}  # fmt: skip
_ENGINE = "how the engine runs it, which whoever serves it says: `placement` of a deployment"
_OTHER_DRAW = "a way of drawing that no engine here has"

TABLE = table(
    together("the model that all of it is about", "from"),
    together("the model has a chat template", "template"),
    together("no example", "message[].role message[].content"),
    together("the engine's own", " ".join(f"parameter.{name}" for name in _SAMPLING)),
    together("no system message", "system"),
    together("no licence", "license"),
    nothing(
        _ENGINE,
        "parameter.num_ctx parameter.num_keep parameter.num_gpu parameter.num_thread parameter.num_batch parameter.main_gpu",
    ),
    nothing(
        _ENGINE, "parameter.use_mmap parameter.use_mlock parameter.numa parameter.low_vram parameter.vocab_only parameter.num_gqa"
    ),
    nothing(_ENGINE, "parameter.f16_kv parameter.logits_all parameter.embedding_only parameter.draft_num_predict"),
    nothing("the chat template says it, here and in every engine", "renderer parser"),
    nothing("which version of Ollama may run it", "requires"),
    refused(
        _OTHER_DRAW,
        "remove it",
        """
        parameter.mirostat parameter.mirostat_eta parameter.mirostat_tau parameter.tfs_z parameter.typical_p
        parameter.presence_penalty parameter.frequency_penalty parameter.repeat_last_n parameter.penalize_newline
        """,
        off="0 0.0",
    ),
    refused(
        "an adapter that was trained elsewhere, beside a model",
        "train it as a `finetunes` node, or fuse it and name the folder of the model",
        "adapter",
    ),
)


def convert(work: Work) -> None:
    """The model, and a prompt where there is something to say."""
    model = _model(work)
    if model is None:
        return
    prompt = work.start("prompts")
    for key in ("system",):
        work.move(prompt, "system", key, values.text)
    _examples(work, prompt)
    for theirs, ours in _SAMPLING.items():
        _sampled(work, prompt, theirs, ours)
    _template(work, model)
    _licence(work, model)
    if not prompt.fields:
        work.draft.nodes.remove(prompt)
        work.draft.main = model


def _model(work: Work) -> Node | None:
    given = work.given
    word = given.text("from").strip()
    if not word:
        given.lacks("from", "it names no model", "`FROM ORG/NAME`, or the path of a folder")
        return None
    clean = word.removeprefix("./")
    if word.lower().endswith((".gguf", ".bin")) or re.search(r"gguf", word, re.IGNORECASE):
        says = "a GGUF is made of a model here, and is none to begin with"
        given.refuse("from", says, "name the repository or folder with safetensors that it was made of", whole=True)
        return None
    if word.startswith(("./", "../", "/", "~")) or work.asked.beside(f"{clean}/config.json") is not None:
        node = work.draft.node("models", as_name(clean) or "model")
        if clean.startswith(("/", "~")) or ".." in clean.split("/"):
            given.refuse("from", "a path must stay below the project's root", "copy or link the folder there", whole=True)
            return None
        work.put(node, "path", work.asked.placed(clean), "from")
        return node
    hub = re.fullmatch(r"(?:hf\.co|huggingface\.co)/([\w.-]+/[\w.-]+)(?::[\w.-]+)?", word)
    name = hub[1] if hub else _LIBRARY.get(word.removesuffix(":latest").lower(), "")
    if not name and catalogue.model(word) is not None:
        name = word
    if not name:
        given.refuse(
            "from", f"`{word}` is a name of Ollama's library, and tells no repository", "`FROM hf.co/ORG/NAME`", whole=True
        )
        return None
    node = work.draft.node("models", as_name(name))
    why = "" if hub else "the repository that Ollama's weights of that name come from: look whether it is so"
    work.put(node, "hub", name, "from", why=why)
    return node


def _examples(work: Work, prompt: Node) -> None:
    """Turns that stand before the question, two by two; a system message among them is the system message."""
    given = work.given
    turns: list[dict[str, str]] = []
    keys: list[str] = []
    for item in given.items("message"):
        role, said = given.text(f"{item}.role"), given.text(f"{item}.content")
        both = (f"{item}.role", f"{item}.content")
        if role == "system" and "system" not in prompt.fields:
            work.put(prompt, "system", said, *both)
        elif role == "user" and (not turns or "assistant" in turns[-1]):
            turns.append({"user": said})
            keys += both
        elif role == "assistant" and turns and "assistant" not in turns[-1]:
            turns[-1]["assistant"] = said
            keys += both
        else:
            for key in both:
                given.refuse(
                    key, "examples are a question and its answer, in turns", "put them in order: user, assistant, user, ..."
                )
    if turns and "assistant" not in turns[-1]:
        turns.pop()
        for key in keys[-2:]:
            given.refuse(key, "a question without its answer", "add the answer, or remove it")
        keys = keys[:-2]
    if turns:
        work.put(prompt, "few_shot", turns, *keys)


def _sampled(work: Work, prompt: Node, theirs: str, ours: str) -> None:
    key = f"parameter.{theirs}"
    if key not in work.given:
        return
    if theirs == "stop":
        work.move(prompt, "sampling.stop", key, _stops)
        return
    if theirs == "num_predict" and work.given.text(key).startswith("-"):
        work.given.drop(key, "an answer ends where the model ends it")
        return
    work.move(prompt, f"sampling.{ours}", key, _single)


def _stops(value: Value) -> list[str]:
    return [str(each) for each in (value if isinstance(value, Seq) else [value])]


def _single(value: Value) -> Plain:
    """Of several that are given the last one counts, as Ollama has it."""
    last = value[-1] if isinstance(value, Seq) else value
    return values.number(last)


def _template(work: Work, model: Node) -> None:
    if "template" not in work.given:
        return
    if work.asked.template:
        work.put(model, "chat_template", work.asked.template, "template", why="the template that you named, in place of Ollama's")
        return
    says = "a template in Go's language, which no other engine reads"
    work.given.refuse(
        "template", says, "`--chat-template NAME` names the same one, such as chatml; or remove it: the model brings its own"
    )


def _licence(work: Work, model: Node) -> None:
    value = work.given.value("license")
    if value is None:
        return
    if isinstance(value, Scalar) and re.fullmatch(r"[A-Za-z0-9._+-]{2,40}", value.strip()):
        work.put(model, "licence", str(value).strip().lower(), "license")
        return
    work.given.drop("license", "the whole text of a licence: a spec names it, `licence: NAME`")
