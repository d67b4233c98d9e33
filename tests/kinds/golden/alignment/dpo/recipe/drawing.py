"""Prompts that a model answers itself to learn from: are there enough, how many steps are they, what are its answers worth."""

import json
from pathlib import Path

import moving
import rewarding
import telling

HOME = Path("state/before.json")


def enough(told, kept, prompts):
    """As many prompts as one drawing takes; the trainer would draw nothing, and say nothing."""
    if kept < prompts:
        left = f", of {told['rows']:,} rows {told['long']:,} are too long and {told['empty']:,} ask nothing"
        raise SystemExit(
            f"error: {kept:,} prompts are left{left}; one drawing takes {prompts:,}: a smaller `train.batch` or "
            "`rollout.steps`, a shorter `rollout.max_tokens`, a longer `context`"
        )


def steps_of(rows, prompts, together, *, epochs=None, steps=None):
    """How many steps a run has: as it is said, or as often as whole drawings can be made of the rows."""
    return steps if steps is not None else max(together, round(epochs * (rows // prompts)) * together)


def check(told, rows, encoder):
    """Print what is asked; end the step when prompts do not begin as they must."""
    begin, tokenizer = encoder.tokenizer.bos_token_id, encoder.tokenizer
    begins = {}
    for text in rows[: moving.MOST]["rendered"]:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        count = 0
        while begin is not None and count < len(ids) and ids[count] == begin:
            count += 1
        begins[count] = begins.get(count, 0) + 1
    print("before the first step, on prompts as the model gets them", end="\n\n")
    print(f"rows           {told['rows']:,} ({told['long']:,} too long, {told['empty']:,} that ask nothing)")
    print("begins with    " + ", ".join(f"{count} BOS in {many:,}" for count, many in sorted(begins.items())))
    print(f"\na prompt:\n{rows[0]['rendered']}\n")
    if set(begins) != {encoder.begins}:
        raise SystemExit(
            f"error: prompts begin with {', '.join(map(str, sorted(begins)))} BOS where {encoder.begins} belong: the chat "
            "template and `begins` of the base's zyc.json say different things"
        )
    return {"dropped": told["long"] + told["empty"]}


def worth(tokenizer, said, rows, functions, weights):
    """What greedy answers to the first rows are worth, on average."""
    rows = rows.select(range(len(said)))
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for _, ids in said]
    prompts = rows["prompt"][:]
    chat = not isinstance(prompts[0], str)
    completions = [[{"role": "assistant", "content": text}] for text in texts] if chat else texts
    columns = {name: rows[name][:] for name in rows.column_names if name not in ("prompt", "rendered")}
    return rewarding.mean(functions, weights, prompts, completions, columns)


def kept(model, tokenizer, rows, longest, functions, weights, placed):
    """What the answers of the base are worth; told once, also when the run is cut short."""
    if placed.world > 1:
        return None  # a sharded model answers only when every process asks
    if HOME.exists():
        return json.loads(HOME.read_text(encoding="utf-8"))
    said = moving.answered(model, tokenizer, rows[: moving.MOST]["rendered"], longest)
    told = worth(tokenizer, said, rows, functions, weights)
    HOME.parent.mkdir(exist_ok=True)
    HOME.write_text(json.dumps(told), encoding="utf-8")
    return told


def measured(tokenizer, said, rows, functions, weights, before):
    """What its answers are worth: those that it drew last, those that it gives now, those that the base gave."""
    return {
        "train.reward": telling.last(telling.history(), "reward"),
        "test.reward": worth(tokenizer, said, rows, functions, weights),
        "base.reward": before,
    }
