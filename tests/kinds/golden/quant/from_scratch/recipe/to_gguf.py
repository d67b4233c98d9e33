# /// script
# requires-python = ">=3.11"
# dependencies = ["jinja2==3.1.6", "llama-cpp-python==0.3.36", "numpy==2.4.6", "pyarrow==26.0.1"]
# ///
"""Rounds the weights of a GGUF to fewer bits, in this process, with the llama.cpp that wrote it and will run it."""

import os
import sys
from pathlib import Path

import llama_home
import quantizer
import telling
from importance import importance

# llama.cpp comes with this version of its Python bindings; its tools are built from the same source.
LLAMA_CPP = "0.3.36"
# The type of the file, and its number in llama.h.
TYPE, NUMBER = "Q4_K_M", 15
# Types of single tensors: a pattern of names, and what is found in one of them counts before the rest.
OVERRIDES = []
# What the file says of itself in place of what the one in 16 bits says.
METADATA = {}
# The most bytes of one file; None for one file.
SHARDS = None

threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
source, target = Path("in/model/model.gguf"), Path("out/model.gguf")
try:
    quantizer.check(source)
    llama_cpp = llama_home.bindings(LLAMA_CPP, print)
    home, tools = llama_home.source(LLAMA_CPP, print), llama_home.build(LLAMA_CPP, print) / "bin"

    # Which weights matter: the texts go through the model, and each column of each matrix is weighed by what it is given.
    weights = importance(llama_cpp, tools / "llama-imatrix", home, source, Path("in/imatrix"), threads=threads)
    METADATA |= weights.metadata
    print(weights.says)
    weights.keep(Path("out/imatrix.json"))

    way = quantizer.Way(NUMBER, OVERRIDES, METADATA, weights.columns, threads)
    quantizer.quantize(llama_cpp, source, target, way, lambda step, of: telling.event(step=step, of=of))
    made = quantizer.split(tools / "llama-gguf-split", home, target, SHARDS)
    before, after = quantizer.compare(home, source, made, METADATA)
except (quantizer.Trap, llama_home.Unavailable) as error:
    sys.exit(f"error: {error}")

print(f"{TYPE}: {after:,} bytes, {8 * after / before.numbers:.2f} bits a weight; it was {before.bytes:,}")
telling.measure({"bytes": after, "size.reduction": 1 - after / before.bytes})
