# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "pyarrow==26.0.1", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Reads a text in windows, and sums up how likely the model took each next token."""

import foretelling
import tasks
from answering import opened

# What reads.
ENGINE = "transformers"
LLAMA_CPP = "0.3.36"
# Tokens of a window, and between the beginnings of two; without a stride they stand side by side, and their second half counts.
WINDOW = 512
STRIDE = None

text = foretelling.text_of("in/perplexity")
engine = opened(ENGINE, "in/model", context=WINDOW, llama_cpp=LLAMA_CPP)
ids = foretelling.tokens_of(engine, text)
windows = foretelling.windows(len(ids), min(WINDOW, engine.context), STRIDE)

sheet = tasks.Sheet(len(windows))
for at, window in enumerate(windows):
    if str(at) not in sheet:
        sheet.add({"id": str(at), **foretelling.read(engine, ids, window, begins=STRIDE is None)})
begins = ("a BOS before each window" if STRIDE is None else "a BOS before the text") if engine.begin else "no BOS"

rows = sheet.write([str(at) for at in range(len(windows))])
measures = foretelling.measures(rows, foretelling.bytes_of(engine, ids, windows))
engine.close()
stated = {"window": WINDOW, "stride": STRIDE or WINDOW, "begins": begins, "engine": ENGINE}
tasks.report("perplexity", measures, more=stated)
