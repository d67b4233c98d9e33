"""Whether a model can be loaded as a whole, and answers: what transformers finds missing, of another shape, or too much."""

from pathlib import Path

TOKENS = 8
CHAT = [{"role": "user", "content": "Bonjour !"}]


def loaded(home):
    """The model, or None with the reason; and the names that were missing, of another shape, and left over."""
    from transformers import AutoModelForCausalLM

    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            home, dtype="auto", output_loading_info=True, ignore_mismatched_sizes=True
        )
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(f"it does not load: {type(error).__name__}: {error}")
        return None, {"missing": [], "misshapen": [], "strange": []}
    found = {
        "missing": sorted(told["missing_keys"]),
        "misshapen": sorted(str(each[0] if isinstance(each, tuple) else each) for each in told["mismatched_keys"]),
        "strange": sorted(told["unexpected_keys"]),
    }
    return model.eval(), found


def answers(home, model):
    """The text that it says, greedily; None when its numbers are none."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(home)
    if tokenizer.chat_template:
        text = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    else:
        ids = tokenizer(CHAT[0]["content"], return_tensors="pt")["input_ids"]
    said, seen = [], None
    with torch.no_grad():
        for _ in range(TOKENS):
            # the question is read once; then each word stands on what was kept of all before it
            told = model(input_ids=ids, past_key_values=seen, use_cache=True)
            chances, seen = told.logits[0, -1], told.past_key_values
            if not torch.isfinite(chances.to(torch.float32)).all():
                return None
            ids = chances.argmax().view(1, 1)
            said.append(int(ids))
    return tokenizer.decode(said)


def unheld(home, found):
    """The tensors that an index names in a file that is not there or does not hold them."""
    import json

    index = Path(home, "model.safetensors.index.json")
    told = json.loads(index.read_text(encoding="utf-8"))["weight_map"] if index.exists() else {}
    return sorted(name for name, file in told.items() if found.get(name, {}).get("file") != file)
