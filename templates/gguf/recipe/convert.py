# /// script
# requires-python = ">=3.11"
# dependencies = ["llama-cpp-python", "gguf", "sentencepiece", "torch", "transformers"]
# ///
"""Writes a model as a GGUF file of 16-bit numbers, with the converter of the llama.cpp that will run it."""

import json
import sys
import tempfile
from pathlib import Path

import llama_home
import telling
from run_converter import converting
from staging import Trap, read, stage

# llama.cpp comes with this version of its Python bindings; the converter needs its source only.
LLAMA_CPP = {{ llama_cpp }}
# What the file says of itself.
METADATA = {{ metadata }}
LICENCE = {{ licence }}

source = Path("in/source")
try:
    told = read(source)
    print(f"a {told.form} tokenizer" + (f" that splits text as {told.pre} does" if told.pre else ""))
    home = llama_home.source(LLAMA_CPP, print)
    with tempfile.TemporaryDirectory() as folder:
        staged = stage(source, Path(folder, "source"), LICENCE)
        metadata = Path(folder, "metadata.json")
        metadata.write_text(json.dumps(METADATA))
        command = [str(staged), "--outfile", "out/model.gguf", "--outtype", "f16", "--metadata", str(metadata)]
        with converting(command, told, home, progress=lambda percent: telling.event(step=percent, of=100)):
            from gguf_file import GgufFile  # while the converter starts
except (Trap, llama_home.Unavailable) as error:
    sys.exit(f"error: {error}")

made = GgufFile("out/model.gguf")
lost = made.not_finite()
if lost:
    sys.exit(f"error: {len(lost)} tensors, the first is {lost[0]}, hold weights that are too large for 16 bits, or are no numbers")
types = {each.type for each in made.tensors}
print(f"{len(made.tensors)} tensors as {' and '.join(sorted(types))}, {made.bytes:,} bytes")
telling.measure({"bytes": made.bytes})
