"""A few answers before and after, for a person to read: greedy and short; they decide nothing."""

import json
from pathlib import Path

MOST = 3
LONGEST = 48
HOME = Path("state/answers.json")


def questions(rows, encoder):
    """The prompts of the first rows, and what was meant to be answered."""
    told = []
    for row in rows.select(range(min(MOST, len(rows)))) if rows is not None else ():
        if row.get("messages") is not None:
            messages = row["messages"]
            last = max((at for at, each in enumerate(messages) if each["role"] == "assistant"), default=0)
            if last:
                told.append((encoder.prompt(messages[:last]), messages[last].get("content") or ""))
        elif isinstance(row.get("prompt"), str):
            told.append((row["prompt"], _wanted(row)))
        elif row.get("prompt"):
            told.append((encoder.prompt(list(row["prompt"])), _wanted(row)))
        elif row.get("text"):
            told.append((row["text"][:80], row["text"][80:160]))
    return told


def _wanted(row):
    """What was meant to be said; of a row that says what was not, nothing."""
    said = row.get("chosen") or (row.get("completion") if row.get("label", True) else "") or ""
    return said if isinstance(said, str) else said[-1].get("content") or ""


def answered(model, tokenizer, asked):
    """What the model answers."""
    import torch

    model_was_training, told = model.training, []
    model.eval()
    half = next((each.dtype for each in model.parameters() if each.dtype in (torch.bfloat16, torch.float16)), None)
    with torch.no_grad(), torch.autocast(model.device.type, dtype=half or torch.bfloat16, enabled=half is not None):
        for prompt, _ in asked:
            ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids.to(model.device)
            made = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=LONGEST,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                use_cache=True,
            )
            told.append(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
    model.train(model_was_training)
    return told


def keep(model, tokenizer, asked, when, placed):
    """Note the answers of one moment; what was noted before a kill is not asked again."""
    if placed.world > 1:
        return  # a sharded model answers only when every process asks
    told = json.loads(HOME.read_text(encoding="utf-8")) if HOME.exists() else {}
    if when in told or not asked:
        return
    try:
        told[when] = answered(model if model.device.type == placed.device else model.to(placed.device), tokenizer, asked)
    except Exception as error:  # noqa: BLE001  # a nicety that fails is no reason to lose a run
        print(f"no answers {when}: {type(error).__name__}: {error}")
        return
    HOME.write_text(json.dumps(told), encoding="utf-8")


def write(asked, path="answers.json"):
    """One row a question: prompt, wanted, before, after."""
    told = json.loads(HOME.read_text(encoding="utf-8")) if HOME.exists() else {}
    rows = [
        {
            "prompt": prompt,
            "wanted": wanted,
            **{when: answers[at] for when, answers in told.items() if at < len(answers)},
        }
        for at, (prompt, wanted) in enumerate(asked)
    ]
    Path(path).write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
