# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2", "tokenizers", "transformers"]
# ///
"""Holds what is written for MLC against the model: token ids, chats as MLC renders them, and whether its shards are whole."""

import json
import sys
from pathlib import Path

import compare
import mlc_conversation
import mlc_weights
import telling
import tokenizer_copies
from transformers import AutoTokenizer

model, subject = Path("in/model"), Path("in/subject")
if not (subject / "mlc-chat-config.json").is_file():
    sys.exit("error: in/subject is nothing for MLC: it has no mlc-chat-config.json")
config = json.loads((subject / "mlc-chat-config.json").read_text(encoding="utf-8"))
systems = json.loads((subject / "card.json").read_text(encoding="utf-8"))["systems"]
conversation, tokenizer = config["conv_template"], AutoTokenizer.from_pretrained(model)
for flaw in mlc_weights.flaws(subject):
    sys.exit(f"error: {flaw}")

# Texts, by two readers of the files beside it.
tokens = tokenizer_copies.tokens(tokenizer, subject)

# Chats: those that this conversation is right for, text and ids.
plain, bos = tokenizer_copies.read(subject), tokenizer.bos_token or ""


def by_mlc(chat):
    """A chat as MLC hands it to the model: its own BOS, then the text cut without any other."""
    text = mlc_conversation.render(conversation, chat)
    begins = conversation["system_prefix_token_ids"]
    ids = begins + list(plain(text, add_special_tokens=False)["input_ids"])
    return compare.Rendered((bos if begins else "") + text, ids)


chats = [chat for chat in compare.golden_chats(tokenizer) if mlc_conversation.suits(systems, chat)]
tally, refused = compare.same_template(compare.with_transformers(tokenizer), {"mlc": by_mlc}, chats)

measures = {"same_tokens": tokens.share, "same_template": tally.share if tally.of else 0.0}
report = {"texts": tokens.examples, "chats": tally.examples, "refused": refused, "systems": systems, "compared": tally.of}
Path("out/fidelity.json").write_text(json.dumps({**report, **measures}, indent=2, ensure_ascii=False) + "\n")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
print("what it says is not compared here: MLC runs in a browser or on an accelerator")
