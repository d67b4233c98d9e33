# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "onnx", "onnxruntime", "onnxscript", "safetensors", "torch", "transformers"]
# ///
"""Writes a model as a graph of ONNX, shows that onnxruntime computes what transformers does, and rounds its weights."""

import sys
import tempfile
from pathlib import Path

import bases
import onnx_export
import onnx_types
import telling

# 32 or 16 bits; 8 bits a weight; 4 bits a weight in blocks of 32.
TYPE = {{ type }}

telling.hush()
source, out = bases.folder("in/model"), Path("out/model.onnx")

# the graph, in 32 bits
telling.event(step=0, of=3)
model = onnx_export.load(source)
weights = onnx_export.size(model)
external = weights > onnx_export.LARGE
with tempfile.TemporaryDirectory(dir="tmp") as folder:
    whole = Path(folder, "model.onnx")
    onnx_export.export(model, whole, external=external)

    # it computes the same: several sizes, padded and not, with and without what was kept before
    telling.event(step=1, of=3)
    apart = onnx_export.farthest(model, whole)
    print(f"in 32 bits its logits are at most {apart:.3g} from those of transformers")
    if apart > onnx_export.ATOL:
        sys.exit(f"error: the graph computes something else than the model: its logits are {apart:.3g} apart")
    del model

    # fewer bits
    telling.event(step=2, of=3)
    onnx_types.convert(whole, out, TYPE, external=external)

# the tokenizer, its templates and the configuration travel with it
bases.copy_tokenizer(source, "out")
Path("out/config.json").write_bytes((source / "config.json").read_bytes())
size = onnx_types.bytes_of(out)
print(f"{TYPE}: {size:,} bytes")
telling.measure({"bytes": size, "size.reduction": 1 - size / (weights / 2), "apart": apart})
