# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate==1.15.0", "jinja2==3.1.6", "llama-cpp-python==0.3.36", "numpy==2.4.6", "safetensors==0.8.0", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Holds a GGUF file against the model that it was made of: token ids, chats, BOS, the end of a turn, and chances."""

import json
import sys
import tempfile
from pathlib import Path

import compare
import layerwise
import llama_home
import numpy as np
import telling
import torch
from divergence import Distance
from jinja2 import TemplateError
from llama_server import serving
from sayings import chats
from transformers import AutoConfig, AutoTokenizer

# The version of the Python bindings that llama.cpp comes with.
LLAMA_CPP = "0.3.36"
# The most tokens of a chat that chances are compared on, and about how many of all chats.
TOKENS, POSITIONS = 256, 4000

model, gguf = Path("in/against"), Path("in/subject/model.gguf")
if not (model / "config.json").is_file():
    sys.exit("error: in/against is no model: it has no config.json")
try:
    llama_cpp = llama_home.bindings(LLAMA_CPP, print)
    server = llama_home.build(LLAMA_CPP, print) / "bin/llama-server"
except llama_home.Unavailable as error:
    sys.exit(f"error: {error}")


def tell(step, of, what):
    """Say how far this is."""
    print(what)
    telling.event(step=step, of=of)


# What transformers expects of each next token, in 32 bits; kept on disk until llama.cpp is asked.
tell(0, 4, "the model in transformers, 32 bits, layer by layer")
tokenizer = AutoTokenizer.from_pretrained(model)
has_template = tokenizer.chat_template is not None
context = min(TOKENS, getattr(AutoConfig.from_pretrained(model), "max_position_embeddings", TOKENS))
rows = []
for chat in chats():
    try:
        text = tokenizer.apply_chat_template(chat, tokenize=False) if has_template else chat[-1]["content"]
    except TemplateError as error:  # it may refuse a system's turn
        print(f"left out, the template refuses it: {error}")
        continue
    rows.append(tokenizer(text, add_special_tokens=not has_template)["input_ids"][:context])
rows = rows[:: max(1, round(sum(map(len, rows)) / POSITIONS))]
kept = tempfile.TemporaryDirectory()
for at, found in enumerate(layerwise.logits(model, rows)):
    np.save(f"{kept.name}/{at}.npy", found.numpy())

# What llama.cpp expects of them.
tell(1, 4, "the same in llama.cpp")
threads = torch.get_num_threads()
llama = llama_cpp.Llama(
    str(gguf), n_ctx=context, n_batch=context, n_threads=threads, n_threads_batch=threads, logits_all=True, verbose=False
)
distance = Distance()
for at, ids in enumerate(rows):
    llama.reset()
    llama.eval(ids)
    distance.add(np.load(f"{kept.name}/{at}.npy"), llama.scores[: len(ids)])
kept.cleanup()

# Whether both cut texts alike, and make the same prompt of a chat, in every engine that serves.
tell(2, 4, "texts and chats")
tokens = compare.same_tokens(tokenizer, llama)
in_file = llama.metadata.get("tokenizer.chat_template")
report, same, bos = {"refused": 0, "chats": []}, float(in_file is None), 0
if has_template and in_file is not None:
    begins = llama_cpp.llama_vocab_get_add_bos(llama_cpp.llama_model_get_vocab(llama.model))
    first = tokenizer.bos_token if begins else ""
    usual = compare.with_transformers(tokenizer)
    with serving(server, gguf, "--ctx-size", "512", "--parallel", "1", "--threads", str(threads)) as ask:
        engines = {"llama-cpp-python": compare.with_bindings(llama), "llama-server": compare.with_server(ask, first)}
        tally, refused = compare.same_template(usual, engines, compare.golden_chats(tokenizer))
        begun = [engine(chats()[0][:1]) for engine in (usual, *engines.values())]
    report, same = {"refused": refused, "chats": tally.examples}, tally.share
    bos = max(compare.leading(each.ids, tokenizer.bos_token_id) for each in begun)
elif has_template:
    same = 0.0

# Whether the end of a turn ends an answer.
tell(3, 4, "the end of a turn")
ends = 1.0
turn = json.loads((model / "zyc.json").read_text()).get("end_of_turn")
if has_template and turn:
    at = tokenizer.convert_tokens_to_ids(turn)
    ends = float(llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(llama.model), at))
llama.close()

measures = {
    "same_tokens": tokens.share,
    "same_template": same,
    "bos": bos,
    "ends": ends,
    "kl": distance.kl,
    "kl_max": distance.largest,
    "top1": distance.top1,
}
report |= {"texts": tokens.examples, "compared": {"texts": tokens.of, "positions": distance.positions}}
report |= {"only_composed_accents": compare.composes(tokenizer), **measures}
Path("out/parity.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
