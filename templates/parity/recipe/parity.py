# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "llama-cpp-python", "numpy", "torch", "transformers"]
# ///
"""Holds a GGUF file against the model that it was made of: token ids, chats, BOS, the end of a turn, and chances."""

import json
import sys
import tempfile
from pathlib import Path

import compare
import llama_home
import numpy as np
import torch
from divergence import Distance
from jinja2 import TemplateError
from llama_server import serving
from sayings import chats
from transformers import AutoModelForCausalLM, AutoTokenizer

# The version of the Python bindings that llama.cpp comes with.
LLAMA_CPP = {{ llama_cpp }}
# The most tokens of a chat that chances are compared on.
TOKENS = 256

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
    with Path("events.jsonl").open("a") as events:
        print(json.dumps({"step": step, "of": of}), file=events)


# What transformers expects of each next token: 32-bit numbers, one chat after the other, kept on disk.
tell(0, 4, "the model in transformers, 32 bits")
tokenizer = AutoTokenizer.from_pretrained(model)
has_template = tokenizer.chat_template is not None
wanted = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
kept = tempfile.TemporaryDirectory()
context = min(TOKENS, getattr(wanted.config, "max_position_embeddings", TOKENS))
rows = []
with torch.inference_mode():
    for at, chat in enumerate(chats()):
        try:
            text = tokenizer.apply_chat_template(chat, tokenize=False) if has_template else chat[-1]["content"]
        except TemplateError as error:  # it may refuse a system's turn
            print(f"left out, the template refuses it: {error}")
            continue
        ids = tokenizer(text, add_special_tokens=not has_template)["input_ids"][:context]
        np.save(f"{kept.name}/{at}.npy", wanted(torch.tensor([ids])).logits[0].numpy())
        rows.append((at, ids))
del wanted

# What llama.cpp expects of them.
tell(1, 4, "the same in llama.cpp")
threads = torch.get_num_threads()
llama = llama_cpp.Llama(
    str(gguf), n_ctx=context, n_batch=context, n_threads=threads, n_threads_batch=threads, logits_all=True, verbose=False
)
distance = Distance()
for at, ids in rows:
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
Path("measures.json").write_text(json.dumps(measures))
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
