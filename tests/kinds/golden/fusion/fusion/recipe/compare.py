# /// script
# requires-python = ">=3.11"
# dependencies = ["peft==0.21.2", "safetensors==0.8.0", "torch==2.13.0", "transformers==5.23.0", "accelerate==1.15.0", "bitsandbytes==0.50.2"]
# ///
"""Holds a fused model against its base with the adapter beside it."""

import json
from pathlib import Path

import bases
import telling
import torch
from likeness import distance, probes, views
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

DTYPE = torch.float32
telling.hush()
device = "cuda" if torch.cuda.is_available() else "cpu"
base, subject = bases.folder("in/base"), bases.folder("in/subject")
tokenizer = AutoTokenizer.from_pretrained(subject)


def load(folder, **more):
    """A model, ready to be asked."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPE, **more).eval()


# The reference: the adapter on the base that has all of its bits.
model = PeftModel.from_pretrained(load(base), "in/against").to(device).eval()
ids = probes(model, tokenizer)
reference = views(model, ids)
del model

telling.event(step=1, of=2)
fused = views(load(subject).to(device), ids)
told = distance(reference, fused)

# What training saw: the adapter on the base in four bits. It is told, not held against anything.
four = BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
)
model = PeftModel.from_pretrained(load(base, quantization_config=four, device_map={"": device}), "in/against").eval()
seen = distance(views(model, ids), fused)
told |= {"nf4.kl": seen["kl"], "nf4.top1": seen["top1"]}

for name, value in told.items():
    print(f"{name:<10} {value:.6g}")
Path("out/fusion.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
telling.measure(told)
