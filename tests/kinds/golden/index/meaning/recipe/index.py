# /// script
# requires-python = ">=3.11"
# dependencies = ["faiss-cpu==1.15.1", "numpy==2.4.6", "pyarrow==26.0.1", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Makes an index: documents cut into passages, a vector for each, and what is needed to look one up."""

import json
import shutil
import sys
from pathlib import Path

import cutting
import embedding
import faiss
import pyarrow as pa
import pyarrow.parquet as pq
import retrieving
import telling

# The most that a passage holds, and how much of it the next one begins with.
CHUNK = 64
OVERLAP = 6
# How many passages stand before a question.
TOP = 3
AT_ONCE = 1024  # passages
ASKED = 1000  # passages that are looked up by a sentence of their own

out = Path("out")

# a passage is so many tokens of the model
embedder = embedding.OfModel("in/embedder")


def length(text):
    """Tokens of a text."""
    return len(embedder.tokenizer(text, add_special_tokens=False)["input_ids"])


# the passages
passages, documents = cutting.rows("in/documents", most=CHUNK, overlap=OVERLAP, length=length)
if not passages:
    sys.exit("error: no row of the documents has any text")
print(f"{documents:,} documents, {len(passages):,} passages")
schema = pa.schema([("text", pa.string()), ("file", pa.string()), *((name, pa.int64()) for name in ("row", "start", "end"))])
pq.write_table(pa.Table.from_pylist(passages, schema), out / "passages.parquet")

# a vector for each
said = [each["text"] for each in passages]
shutil.copytree("in/embedder", out / "embedder")
vectors = faiss.IndexFlatIP(embedder.dimension)  # the closest are found by looking at all
for at in range(0, len(said), AT_ONCE):
    vectors.add(embedder.embed(said[at : at + AT_ONCE]))
    telling.event(step=min(at + AT_ONCE, len(said)), of=len(said))
faiss.write_index(vectors, str(out / "index.faiss"))
card = {"embedder": embedder.name, "dimension": embedder.dimension, "top": TOP, "chunk": CHUNK, "overlap": OVERLAP}
card |= {"documents": documents, "passages": len(passages)}
(out / "card.json").write_text(json.dumps(card, indent=2) + "\n")

# whether a sentence of a passage finds it
index = retrieving.Index(out)
asked = passages[:: -(-len(passages) // ASKED)]
found = index.find_each([cutting.a_sentence(each["text"]) for each in asked])
hits = sum(any(hit.text == each["text"] for hit in hits) for each, hits in zip(asked, found, strict=True))
measures = {"documents": documents, "passages": len(passages), "dimension": embedder.dimension, "recall": hits / len(asked)}
for name, value in measures.items():
    print(f"{name}: {value:,.4g}")
telling.measure(measures)
