"""What is looked at before the first step of a run that learns from verdicts, on batches as the model gets them."""

from dataclasses import dataclass, field

LOOKED_AT = 512  # sequences


@dataclass
class Seen:
    """What the first batches hold."""

    sequences: int = 0
    unknown: int = 0  # that are no row of the dataset
    turns: int = 0
    endless: int = 0  # answers that are whole and do not end
    begins: dict = field(default_factory=dict)  # how many BOS a sequence has -> sequences
    good: int = 0
    bad: int = 0
    example: str = ""


def sequences(batch):
    """The sequences of a collated batch, padding gone, whatever its trainer calls them."""
    for name in ("input_ids", "chosen_input_ids", "rejected_input_ids"):
        if name in batch:
            mask = batch[name.replace("input_ids", "attention_mask")].tolist()
            for ids, there in zip(batch[name].tolist(), mask, strict=True):
                yield tuple(token for token, kept in zip(ids, there, strict=True) if kept)


def rows_of(rows):
    """Every sequence that the rows can make: its ids, what of them is the answer, whether it is a good one."""
    for row in rows:
        if "completion_ids" in row:
            yield row["prompt_ids"], row["completion_ids"], bool(row["label"])
        else:
            yield row["prompt_ids"], row["chosen_ids"], True
            yield row["prompt_ids"], row["rejected_ids"], False


def look(batches, rows, encoder):
    """Hold the first batches against the rows that they were made of."""
    wanted = set()
    for batch in batches:
        wanted.update(sequences(batch))
        if len(wanted) >= LOOKED_AT:
            break
    seen, tokenizer = Seen(sequences=len(wanted)), encoder.tokenizer
    ends = {tokenizer.convert_tokens_to_ids(encoder.end_of_turn), tokenizer.eos_token_id}
    for prompt, said, good in rows_of(rows):
        ids = tuple(prompt + said)
        if ids not in wanted:
            continue
        wanted.discard(ids)
        seen.good += good
        seen.bad += not good
        count = 0
        while count < len(ids) and ids[count] == tokenizer.bos_token_id:
            count += 1
        seen.begins[count] = seen.begins.get(count, 0) + 1
        if len(ids) < encoder.context:  # else it may have been cut
            seen.turns += 1
            seen.endless += not ends & set(said)
        seen.example = seen.example or f"{tokenizer.decode(prompt)}[{tokenizer.decode(said)}]"
        if not wanted:
            break
    seen.unknown = len(wanted)
    return seen


def table(seen, told):
    """What was seen, for a person."""
    length = {name: total / max(1, count) for name, (total, count) in told.tokens.items()}
    lines = [
        f"before the first step, on {seen.sequences} sequences as the model gets them",
        "",
        f"rows           {told.rows:,} ({told.kept:,} kept, {told.equal:,} with two equal answers, {told.dropped:,} too long)",
        f"answers        {seen.good:,} good and {seen.bad:,} bad of those looked at, {told.cut:,} cut to the context in all",
        "tokens         " + ", ".join(f"{name} {value:,.1f}" for name, value in length.items()) + " an answer",
        f"turns          {seen.turns - seen.endless:,} of {seen.turns:,} whole answers end",
        "begins with    " + ", ".join(f"{count} BOS in {many:,}" for count, many in sorted(seen.begins.items())),
    ]
    return "\n".join([*lines, "", "a row, the answer in brackets:", seen.example, ""])


def enough(told):
    """Whether there is anything to learn from at all; the trainer has no words for it."""
    wrong = []
    if not told.kept:
        why = "the two answers of every row are the same" if told.equal else "every prompt fills the context"
        wrong.append(
            f"nothing is left to learn from: {why}" + (f", such as `{told.example}`" if told.equal else "; see `context`")
        )
    elif told.equal > told.rows / 10:
        wrong.append(
            f"{told.equal:,} of {told.rows:,} rows have two equal answers, such as `{told.example}`: they teach nothing; "
            "look at how the dataset maps `chosen` and `rejected`"
        )
    elif not all(count for _, count in told.tokens.values()):
        wrong.append("all answers are of one kind, good or bad: there is nothing to tell apart; see `label` of the dataset")
    if wrong:
        raise SystemExit("\n".join(f"error: {each}" for each in wrong))


def flaws(seen, encoder):
    """What must not be: told before a second of training is spent."""
    if seen.unknown:
        yield f"{seen.unknown} of {seen.sequences} sequences that the model would get are no rows of the dataset"
    if seen.endless:
        yield (
            f"{seen.endless} of {seen.turns} answers have no end of turn `{encoder.end_of_turn}`, so the model would never learn "
            "to stop: see `end_of_turn` in the base's zyc.json and the tokenizer's `chat_template`"
        )
    wrong = {count: many for count, many in seen.begins.items() if count != encoder.begins}
    if wrong:
        count, many = max(wrong.items(), key=lambda each: each[1])
        yield (
            f"{many} of {seen.sequences} sequences begin with {count} BOS where {encoder.begins} belong: the chat template and "
            "`begins` of the base's zyc.json say different things"
        )


def check(batches, rows, told, encoder):
    """Print the table; end the step when something in it must not be. Gives what is measured."""
    seen = look(batches, rows, encoder)
    print(table(seen, told))
    wrong = list(flaws(seen, encoder))
    if wrong:
        raise SystemExit("\n".join(f"error: {each}" for each in wrong))
    count = sum(many for _, many in told.tokens.values())
    means = {f"answer_tokens.{name}": total / max(1, many) for name, (total, many) in told.tokens.items()}
    return {"truncated": told.cut / max(1, count), "dropped": told.dropped + told.equal, **means}
