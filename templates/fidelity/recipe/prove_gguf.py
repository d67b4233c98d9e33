# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "llama-cpp-python", "numpy", "pyarrow", "transformers"]
# ///
"""Holds a quantized GGUF against the one in 16 bits, and against the tokenizer and the template of the model behind both."""

import json
import math
import os
import sys
import tempfile
from pathlib import Path

import compare
import held_out
import llama_home
import numpy as np
import telling
from answering import Answers, Unreadable, answer, file_of, likeliest, logits, opened
from divergence import Distance
from jinja2 import TemplateError
from llama_server import serving
from sayings import open_chats
from transformers import AutoConfig, AutoTokenizer

# The version of the Python bindings that llama.cpp comes with.
LLAMA_CPP = {{ llama_cpp }}
# The tokens that chances are compared on, and of one text at most.
POSITIONS, CONTEXT = {{ positions }}, 512
# The questions that one answers and the other follows, at most, and the tokens of an answer.
ANSWERS, LONG = {{ answers }}, {{ long }}
# A dataset that the model stands on, if there is one.
{% if chats %}
CHATS = Path("in/chats")
{% else %}
CHATS = None
{% endif %}

telling.hush()
model, threads = Path("in/model"), int(os.environ.get("OMP_NUM_THREADS", "1"))
before, after = file_of(Path("in/against")), file_of(Path("in/subject"))
if not (model / "config.json").is_file():
    sys.exit("error: in/model is no model: it has no config.json")
tokenizer = AutoTokenizer.from_pretrained(model)
context = min(CONTEXT, getattr(AutoConfig.from_pretrained(model), "max_position_embeddings", CONTEXT))
texts = held_out.pick(CHATS, model, tokenizer, most=POSITIONS, context=context)
print(f"{len(texts.texts)} texts, {texts.positions:,} tokens: {texts.source}")
has_template = tokenizer.chat_template is not None

# What waits for an answer, as the template has it.
asked = []
for chat in open_chats(()) if has_template else ():
    try:
        prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    except TemplateError:  # it may refuse a system's turn
        continue
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    if len(ids) + 1 < context:
        asked.append((chat[-1]["content"], ids))
asked = asked[:: math.ceil(len(asked) / ANSWERS) or 1]

try:
    llama_cpp = llama_home.bindings(LLAMA_CPP, print)
    server = llama_home.build(LLAMA_CPP, print) / "bin/llama-server"
    kept = tempfile.TemporaryDirectory()

    # Sixteen bits: what they expect of each next token lies on disk until the other file is asked.
    telling.event(step=0, of=3)
    with opened(llama_cpp, before, context=context, threads=threads) as llama:
        for at, text in enumerate(texts.texts):
            np.save(f"{kept.name}/{at}.npy", logits(llama, text.ids))
        wanted = [answer(llama, ids, LONG) for _, ids in asked]

    # The same of the quantized file: all tokens, and those that the assistant says.
    telling.event(step=1, of=3)
    everything, assistant, answers = Distance(), Distance(), Answers()
    with opened(llama_cpp, after, context=context, threads=threads) as llama:
        for at, text in enumerate(texts.texts):
            one, other = np.load(f"{kept.name}/{at}.npy"), logits(llama, text.ids)
            everything.add(one, other)
            # the chances of a token stand at the one before it
            said = np.flatnonzero(text.said[1:])
            if len(said):
                assistant.add(one[said], other[said])
        for (question, ids), told in zip(asked, wanted, strict=True):
            answers.add(question, told, likeliest(llama, ids, told), lambda token: tokenizer.decode([token]))
        kept.cleanup()

        # Texts and chats: transformers, the bindings, and the server with its own Jinja.
        telling.event(step=2, of=3)
        tokens = compare.same_tokens(tokenizer, llama)
        in_file = llama.metadata.get("tokenizer.chat_template")
        report, same = {"refused": 0, "chats": []}, float(has_template == (in_file is not None))
        if has_template and in_file is not None:
            begins = llama_cpp.llama_vocab_get_add_bos(llama_cpp.llama_model_get_vocab(llama.model))
            first = tokenizer.bos_token if begins else ""
            options = ("--ctx-size", "512", "--parallel", "1", "--threads", str(threads))
            with serving(server, after, *options) as ask:
                engines = {"llama-cpp-python": compare.with_bindings(llama), "llama-server": compare.with_server(ask, first)}
                usual, chats = compare.with_transformers(tokenizer), compare.golden_chats(tokenizer)
                tally, refused = compare.same_template(usual, engines, chats)
            report, same = {"refused": refused, "chats": tally.examples}, tally.share
except (Unreadable, llama_home.Unavailable) as error:
    sys.exit(f"error: {error}")

measures = {
    "same_tokens": tokens.share,
    "same_template": same,
    "kl": everything.kl,
    "kl.assistant": assistant.kl if assistant.positions else None,
    "kl_max": everything.largest,
    "top1": everything.top1,
    "top1.assistant": assistant.top1 if assistant.positions else None,
    "first_difference": answers.mean,
}
report |= {"texts": tokens.examples, "parted": answers.parted[:10], "on": texts.source}
report |= {"compared": {"positions": everything.positions, "assistant": assistant.positions, "answers": len(asked)}, **measures}
Path("out/fidelity.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}" if value is not None else f"{name}: nothing to measure")
