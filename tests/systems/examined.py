# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Asks every model below in/models the questions of in/exam, greedily, and counts the answers that are right to the letter."""

import json
from pathlib import Path

import llama_home
from pyarrow import parquet

Llama = llama_home.bindings().Llama

chats = [row for path in sorted(Path("in/exam").glob("*/*.parquet")) for row in parquet.read_table(path).to_pylist()]
measures, wrong = {"questions": len(chats)}, {}
for home in sorted(Path("in/models").iterdir()):
    llm = Llama(str(next(home.rglob("*.gguf"))), n_ctx=512, n_threads=1, verbose=False)
    right = 0
    for row in chats:
        *asked, answer = [{"role": each["role"], "content": each["content"]} for each in row["messages"]]
        said = llm.create_chat_completion(asked, max_tokens=40, temperature=0.0)["choices"][0]["message"]["content"]
        right += said.strip() == answer["content"].strip()
        if said.strip() != answer["content"].strip() and len(wrong.setdefault(home.name, [])) < 5:
            wrong[home.name].append([asked[-1]["content"], answer["content"], said])
    measures[f"model{home.name}"] = right / len(chats)
    llm.close()
Path("measures.json").write_text(json.dumps(measures))
Path("out/wrong.json").write_text(json.dumps(wrong, indent=1, ensure_ascii=False))
