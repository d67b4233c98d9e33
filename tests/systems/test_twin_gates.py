"""Gates on a text's perplexity and on scores of answers, rehearsed from nothing: what was learned is told from what was not."""

import json
import random
import subprocess
import sys

import pytest

THINGS = (
    "kettle", "door", "lamp", "chair", "bread", "window", "table", "bottle", "garden", "river", "bridge", "clock", "coat",
    "horse", "boat", "stone", "cloud", "letter", "candle", "basket",
)  # fmt: skip
COLOURS = ("red", "green", "blue", "white", "black", "brown", "grey", "golden", "silver", "yellow")
PLACES = ("kitchen", "hall", "cellar", "attic", "yard", "street", "market", "harbour", "forest", "field")
SPEC = """\
zyc: 1
tokenizers: {pieces: {corpus: notes, vocab: 4000}}
models:
  new: {scratch: {family: llama, layers: 8, width: 512, heads: 8, mlp: 1536, context: 512}, tokenizer: pieces}
  base: mistralai/Mistral-7B-Instruct-v0.3
datasets:
  notes: {from: specs/data/notes.jsonl, format: text}
  chats: {from: specs/data/chats.jsonl, format: messages}
  asks: {from: specs/data/asks.jsonl, format: questions}
pretrains: {read: {model: new, data: notes, tokens: 1M, context: 256, batch_tokens: 8192, learning_rate: 1e-3}}
finetunes: {says: {base: base, data: chats, method: lora, context: 512, train: {epochs: 1, batch: 16}}}
evals:
  foretells:
    model: read.gguf
    tasks: {told: {perplexity: notes}}
    gates: [told.perplexity <= 12, told.bits_per_byte <= 1]
  speaks:
    model: says.fused.gguf
    tasks: {said: {text: asks, scores: [chrf, bleu]}}
    gates: [said.chrf >= 60%, said.bleu >= 30%]
"""


def note(thing, colour, place):
    """Two sentences of which the second follows."""
    return f"The {thing} in the {place} is {colour}. Who wants a {colour} {thing} goes to the {place}."


def chat(thing, colour, place):
    """A question whose answer copies three words of it."""
    return f"The {thing} in the {place} is {colour}. Which {thing} is it?", f"It is the {colour} {thing} of the {place}."


def write(folder):
    """The project, with rows that no other split has."""
    drawn = random.Random(1)
    every = [(thing, colour, place) for thing in THINGS for colour in COLOURS for place in PLACES]
    drawn.shuffle(every)
    chats = [chat(*each) for each in every[:1060]]
    rows = {
        "notes": [{"text": note(*each)} for each in every[:400]],
        "chats": [
            {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]}
            for asked, said in chats[:1000]
        ],
        "asks": [{"question": asked, "answer": said} for asked, said in chats[1000:]],
    }
    data = folder / "specs" / "data"
    data.mkdir(parents=True)
    for name, each in rows.items():
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in each))
    (folder / "specs" / "gated.yml").write_text(SPEC)


@pytest.mark.torture
def test_a_text_and_answers_that_were_learned_pass_and_show_it(tmp_path):
    """Every node runs, and each bound on quality holds as a comparison with the twin before it learned."""
    write(tmp_path)
    call = [sys.executable, "-m", "zyc", "build", "--twin", "--json"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    ends = {each["node"]: each for each in events if each.get("event") == "end"}
    assert {each["fate"] for each in ends.values()} == {"ran"}
    held = {name: {each["gate"]: each["verdict"] for each in ends[name]["gates"]} for name in ("foretells", "speaks")}
    assert held["foretells"] == {"untrained.told.p < 0.01": "holds"}
    assert held["speaks"] == {"untrained.said.chrf.p < 0.01": "holds", "untrained.said.bleu.p < 0.01": "holds"}
    before, after = (ends[f"foretells.{name}"]["measures"]["perplexity"] for name in ("untrained-told", "told"))
    assert after < before / 10
    before, after = (ends[f"speaks.{name}"]["measures"]["chrf"] for name in ("untrained-said", "said"))
    assert before < 0.95 <= after  # the base knows the form of an answer, and not all of them
