"""A trained reward model as it is kept: one model that gives a conversation a number, its adapter merged into it."""

import json
from pathlib import Path

import bases


def publish(made, base, out="out", *, adapter, dtype, pad):
    """`made` is what the trainer saved: an adapter to merge into the base as it was, or the whole model."""
    import torch
    from transformers import AutoModelForSequenceClassification

    if adapter:
        from peft import PeftModel

        kept = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[dtype]
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=kept)
        model = PeftModel.from_pretrained(model, made).merge_and_unload(safe_merge=True)
        made = "tmp/merged"
        model.config.pad_token_id = pad
        model.save_pretrained(made)
    bases.publish_model(made, base, out, dtype=dtype)
    told = {"architecture": "sequence-classification", "reads": "a whole conversation by chat_template.jinja", "better": "higher"}
    (Path(out) / "scorer.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
