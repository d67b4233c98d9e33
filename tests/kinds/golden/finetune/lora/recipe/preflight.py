"""What is looked at before the first step, on batches as the model gets them: who is trained, how turns end, how chats begin."""

from dataclasses import dataclass, field
from itertools import pairwise

from chats import ROLES, UNTRAINED

LOOKED_AT = 512  # sequences


@dataclass
class Seen:
    """What the first batches hold."""

    sequences: int = 0
    tokens: dict = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    trained: dict = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    begins: dict = field(default_factory=dict)  # how many BOS a sequence has -> sequences
    turns: int = 0
    endless: int = 0  # turns whose end carries no label
    unknown: int = 0  # sequences that are no row of the dataset
    example: str = ""


def sequences(batch):
    """The sequences of a collated batch: ids and labels, padding gone and packs taken apart."""
    ids, labels = batch["input_ids"].tolist(), batch["labels"].tolist()
    if "position_ids" in batch:
        for row, (tokens, targets) in enumerate(zip(ids, labels, strict=True)):
            places = batch["position_ids"][row].tolist()
            starts = [at for at, place in enumerate(places) if place == 0] + [len(places)]
            for start, end in pairwise(starts):
                yield tokens[start:end], targets[start:end]
        return
    for tokens, targets, mask in zip(ids, labels, batch["attention_mask"].tolist(), strict=True):
        keep = [at for at, there in enumerate(mask) if there]
        yield [tokens[at] for at in keep], [targets[at] for at in keep]


def look(batches, rows, encoder):
    """Hold the first batches against the rows that they were made of."""
    found = {}
    for batch in batches:
        for ids, labels in sequences(batch):
            found.setdefault(tuple(ids), labels)
        if len(found) >= LOOKED_AT:
            break
    seen, tokenizer = Seen(sequences=len(found)), encoder.tokenizer
    begin = tokenizer.bos_token_id
    end = tokenizer.convert_tokens_to_ids(encoder.end_of_turn) if encoder.end_of_turn else None
    wanted = dict(found)
    for row in rows:
        labels = wanted.pop(tuple(row["input_ids"]), None)
        if labels is None:
            continue
        ids = row["input_ids"]
        for role, label in zip(row["roles"], labels, strict=True):
            seen.tokens[ROLES[role]] += 1
            seen.trained[ROLES[role]] += label != UNTRAINED
        count = _opening(ids, begin)
        seen.begins[count] = seen.begins.get(count, 0) + 1
        _turns(seen, row, labels, end)
        seen.example = seen.example or _shown(tokenizer, ids, labels)
        if not wanted:
            break
    seen.unknown = len(wanted)
    return seen


def packed(rows, context):
    """How many rows there are once they are packed."""
    from trl import pack_dataset

    return len(pack_dataset(rows.select_columns(["input_ids", "labels"]), context, "bfd"))


def _opening(ids, begin):
    """How many BOS a sequence starts with."""
    count = 0
    while begin is not None and count < len(ids) and ids[count] == begin:
        count += 1
    return count


def _turns(seen, row, labels, end):
    """Each turn of an assistant that is wholly there must end with a token that is trained."""
    ids, ends = row["input_ids"], row["ends"]
    for at, start in enumerate(ends):
        limit = ends[at + 1] if at + 1 < len(ends) else len(ids)
        if row["cut"] and (start >= len(ids) or limit > len(ids)):
            continue
        place = next((each for each in range(start, min(limit, len(ids))) if ids[each] == end), None)
        if place is None and row["cut"]:
            continue
        seen.turns += 1
        seen.endless += place is None or labels[place] == UNTRAINED


def _shown(tokenizer, ids, labels):
    """A row as the trainer sees it, what is trained in brackets."""
    parts, inside = [], False
    for token, label in zip(ids, labels, strict=True):
        if (label != UNTRAINED) != inside:
            parts.append("]" if inside else "[")
            inside = not inside
        parts.append(tokenizer.decode([token]))
    return "".join([*parts, "]" if inside else ""])


def share(seen):
    """The share of tokens that are trained."""
    return sum(seen.trained.values()) / max(1, sum(seen.tokens.values()))


def table(seen, told):
    """What was seen, for a person."""
    lines = [
        f"before the first step, on {seen.sequences} sequences as the model gets them",
        "",
        "role           tokens   trained",
    ]
    there = [(role, seen.tokens[role], seen.trained[role]) for role in ROLES if seen.tokens[role]]
    lines += [f"{role:<12}{tokens:>9,}{trained / tokens:>10.0%}" for role, tokens, trained in there]
    lines += [
        "",
        f"rows           {told['rows']:,} ({told['cut']:,} cut to the context, {told['dropped']:,} left out: nothing to train)",
    ]
    lines.append(f"turns          {seen.turns:,} end of turn trained in {seen.turns - seen.endless:,}")
    lines.append("begins with    " + ", ".join(f"{count} BOS in {many:,}" for count, many in sorted(seen.begins.items())))
    return "\n".join([*lines, "", "a row, what is trained in brackets:", seen.example, ""])


def flaws(seen, encoder):
    """What must not be: told before a second of training is spent."""
    if seen.unknown:
        yield f"{seen.unknown} of {seen.sequences} sequences that the model would get are no rows of the dataset"
    if not sum(seen.trained.values()):
        yield (
            "0 % of the tokens would be trained: the base's chat template (training_template.jinja) marks nothing as the "
            "assistant's, or the context is too short for any answer\n  see `context` and the tokenizer's `chat_template`"
        )
    if seen.endless:
        yield (
            f"{seen.endless} of {seen.turns} answers would be trained without their end of turn `{encoder.end_of_turn}`, so the "
            "model would never learn to stop: the base's chat template leaves it outside its marks, or does not write it\n"
            "  see `end_of_turn` in zyc.json and the tokenizer's `chat_template`"
        )
    wrong = {count: many for count, many in seen.begins.items() if count != encoder.begins}
    if wrong:
        count, many = max(wrong.items(), key=lambda each: each[1])
        yield (
            f"{many} of {seen.sequences} sequences begin with {count} BOS where {encoder.begins} belong\n"
            "  the chat template and `begins` of the base's zyc.json say different things: make them agree"
        )


def check(batches, rows, told, encoder):
    """Print the table; end the step when something in it must not be. Gives what is measured."""
    seen = look(batches, rows, encoder)
    print(table(seen, told))
    wrong = list(flaws(seen, encoder))
    if wrong:
        raise SystemExit("\n".join(f"error: {each}" for each in wrong))
    rest = max(1, told["rows"])
    return {
        "trained_share": share(seen),
        **{f"trained_share.{role}": seen.trained[role] / seen.tokens[role] for role in ROLES if seen.tokens[role]},
        "truncated": told["cut"] / rest,
        "dropped": told["dropped"],
    }
