"""Every kind and method in one small graph, rendered, and run by `bash run.sh` where there is no zyc."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from desk import Desk
from elsewhere import machine_without_zyc

from zyc import kinds

COLOURS = ["red", "green", "blue", "black", "white", "brown", "pink", "grey"]
THINGS = ["door", "house", "river", "cloud", "table", "bird", "stone", "leaf", "road", "lamp"]
SPEC = """\
tokenizers:
  words: {corpus: chats, vocab: 512, chat_template: chatml, algorithm: byte-bpe}
  pieces: {corpus: chats, vocab: 320, chat_template: chatml}
models:
  new: {scratch: &small {family: llama, layers: 2, heads: 4, kv_heads: 2, width: 256, mlp: 256, context: 256}, tokenizer: words}
  other: {scratch: *small, tokenizer: pieces, seed: 2}
datasets:
  chats: {from: specs/data/chats.jsonl, format: messages, clean: [unicode: nfc, drop: duplicates], split: {test: 10%, seed: 1}}
  pairs: {from: specs/data/pairs.jsonl, format: preference}
  asked: {from: specs/data/asked.jsonl, format: questions}
  few: {from: specs/data/few.jsonl, format: questions}
  told: {from: specs/data/told.txt, format: text}
  more: {written: {by: base, from: asked, prompt: "{question}", into: answer, max_tokens: 8}, format: questions}
prompts:
  short: {system: Answer with one word.}
pretrains:
  base: {model: new, data: chats, steps: 120, context: 96, batch_tokens: 1536, learning_rate: 3e-3, loss_on: assistant}
finetunes:
  by-lora: {base: base, data: chats, method: lora, context: 96, lora: {rank: 4}, train: &few {steps: 2, batch: 4}}
  by-qlora: {base: base, data: chats, method: qlora, context: 96, lora: {rank: 4}, train: *few}
  by-dora: {base: base, data: chats, method: dora, context: 96, lora: {rank: 4}, train: *few}
  more-steps: {base: base, data: chats, method: full, context: 96, train: *few}
  in-full: {base: base, data: chats, method: full, packing: true, context: 96, train: *few}
alignments:
  by-dpo: {base: by-lora, data: pairs, method: dpo, context: 96, train: *few}
  by-kto: {base: base, data: pairs, method: kto, adapter: none, context: 96, train: {steps: 2, batch: 4, optimizer: adamw-8bit}}
  by-orpo: {base: base, data: pairs, method: orpo, context: 96, train: *few}
  judge: {base: base, data: pairs, method: reward, context: 96, train: *few}
  by-grpo:
    base: base
    data: asked
    method: grpo
    context: 96
    rollout: &short {generations: 2, max_tokens: 8}
    rewards: {judge: 1}
    train: *few
  by-rloo:
    base: base
    data: asked
    method: rloo
    rollout: {generations: 2, max_tokens: 8}
    context: 96
    rewards: [{file: specs/data/reward.py, function: brief}]
    train: *few
distillations:
  by-answers: {student: other, teachers: base, prompts: asked, context: 96, answers: {max_tokens: 8}, train: *few}
  by-logits: {student: new, teachers: base, prompts: asked, mode: logits, context: 96, answers: {max_tokens: 8}, train: *few}
merges:
  mixed: {method: ties, models: {in-full: {weight: 60%, density: 0.5}, more-steps: {weight: 40%, density: 0.5}}, base: base}
quants:
  small: {model: mixed, format: gguf, type: Q4_K_M}
  graph: {model: base, format: onnx, type: int8}
indexes:
  notes: {documents: chats, embedder: hashing, chunk: 40}
evals:
  seen:
    model: small
    prompts: short
    against: [by-lora.fused.gguf]
    tasks:
      asked: {exam: few, match: exact}
      foretold: {perplexity: told}
      near: {text: few}
      fast: {prompt_tokens: 8, new_tokens: 8, runs: 2}
      better: {compare: few, judge: judge}
  meant: {model: base, tasks: {choice: {harness: toy_choice, folder: specs/data/toy}}}
tables:
  beside: {reports: {small: seen, meant: meant}, exam: asked}
deployments:
  bundle: {model: small, prompts: short, target: server, requires: seen, results: seen, registry: {id: words}, context: 128}
steps:
  page: {inputs: {model: small, report: seen, short: short, notes: notes}, run: ls in/model > out/page.txt}
"""
TASK = """\
task: toy_choice
dataset_path: json
dataset_kwargs: {data_files: {test: in/folder/toy.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{gold}}"
metric_list:
  - {metric: acc}
"""
MADE = {  # of each node, a file that it leaves
    "words": "tokenizer.json", "pieces": "tokenizer.model", "new": "model.safetensors",
    "chats": "card.json", "base": "model.safetensors",
    "more": "card.json", "by-lora": "adapter_model.safetensors", "by-qlora": "adapter_model.safetensors",
    "by-dora": "adapter_model.safetensors", "in-full": "model.safetensors", "by-lora.fused": "model.safetensors",
    "by-lora.fused.gguf": "model.gguf", "by-dpo": "adapter_model.safetensors", "by-kto": "model.safetensors",
    "by-orpo": "adapter_model.safetensors", "judge": "model.safetensors", "by-grpo": "adapter_model.safetensors",
    "by-rloo": "adapter_model.safetensors", "by-answers": "model.safetensors", "by-logits": "model.safetensors",
    "short": "prompt.json", "mixed": "model.safetensors",
    "small": "model.gguf", "graph": "model.onnx", "notes": "index.faiss", "seen": "report.json",
    "meant": "report.json", "page": "page.txt", "beside": "table.md", "bundle": "bundle.json",
}  # fmt: skip


def rows(seed=1):
    """A chat, a pair of answers and a question for each thing in each colour."""
    draw = random.Random(seed)
    for thing in THINGS:
        for colour in COLOURS:
            asked = f"The {thing} is {colour}. Which colour has the {thing}?"
            wrong = draw.choice([each for each in COLOURS if each != colour])
            chat = [{"role": "user", "content": asked}, {"role": "assistant", "content": colour}]
            yield (
                {"messages": chat},
                {"prompt": asked, "chosen": colour, "rejected": wrong},
                {"question": asked, "answer": colour},
            )


def project(home):
    """The graph, and what it reads."""
    desk = Desk(home)
    chats, pairs, asked = zip(*rows(), strict=True)
    files = {"chats.jsonl": chats, "pairs.jsonl": pairs, "asked.jsonl": asked, "few.jsonl": asked[:6]}
    toys = [{"question": f"{row['question']} ", "options": [row["answer"], "none"], "gold": 0} for row in asked[:4]]
    for name, told in {**files, "toy/toy.jsonl": toys}.items():
        desk.write(f"specs/data/{name}", "".join(f"{json.dumps(row)}\n" for row in told))
    desk.write("specs/data/toy/toy_choice.yaml", TASK)
    desk.write("specs/data/told.txt", "".join(f"{row['question']} {row['answer']}.\n" for row in asked))
    desk.write("specs/data/reward.py", "def brief(completions, **_):\n    return [-len(str(each)) for each in completions]\n")
    desk.spec(SPEC, "every")
    return desk


@pytest.mark.slow
def test_a_graph_of_every_kind_and_method_runs_without_zyc(tmp_path):
    """Each step of the rendered graph runs to its end, and leaves what its kind promises."""
    desk = project(tmp_path / "project")
    said = desk.zyc("render", "specs/every.yml", "--copy", "-o", str(tmp_path / "there"))
    assert said.code == 0, said.text
    python = Path(machine_without_zyc(tmp_path / "venv"))
    env = {"PATH": f"{python.parent}{os.pathsep}{os.defpath}", "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    words = ["bash", str(tmp_path / "there" / "run.sh")]
    done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    left = {name: sorted((tmp_path / "there").glob(f"*{name}/out/**/{file}")) for name, file in MADE.items()}
    assert [name for name, files in left.items() if not files] == []
    nodes = desk.zyc("plan", "specs/every.yml", "--all", "--json").data["nodes"]
    assert {each["kind"] for each in nodes} == set(kinds.stems()), "each kind has its place here"
