"""Rows that say which answer is better -> token ids: a prompt, and what is said to it; the same bytes as in a finetune."""

from dataclasses import dataclass, field

from chats import AT_ONCE, UNTRAINED

ROWS = ("prompt", "chosen", "rejected")


@dataclass
class Told:
    """What became of the rows of one split."""

    rows: int = 0
    kept: int = 0
    cut: int = 0  # answers that end before they are whole
    dropped: int = 0  # rows whose prompt alone fills the context; of a reward model, rows that are longer than it
    equal: int = 0  # rows whose two answers are the same: nothing to learn
    example: str = ""  # one of those
    tokens: dict = field(default_factory=lambda: {"chosen": (0, 0), "rejected": (0, 0)})  # how many, in how many answers

    def count(self, name, tokens):
        """One more answer."""
        total, many = self.tokens[name]
        self.tokens[name] = total + tokens, many + 1


@dataclass
class Answer:
    """One answer to one prompt, as ids."""

    prompt: list
    said: list  # from the first to the last token that an assistant says, its end of turn among them


def answers(rows, encoder):
    """Many `{prompt, completion}` as ids; nothing is cut yet."""
    whole = type(encoder)(**{**vars(encoder), "context": 1 << 30})
    told = []
    for made in whole.encode(rows):
        ids, labels = made["input_ids"], made["labels"]
        places = [at for at, label in enumerate(labels) if label != UNTRAINED]
        start, end = (places[0], places[-1] + 1) if places else (len(ids), len(ids))
        told.append(Answer(ids[:start], ids[start:end]))
    return told


def paired(good, bad):
    """Both answers behind one prompt: what they have in common of it, for tokens may join where it ends."""
    length = 0
    for one, other in zip(good.prompt, bad.prompt, strict=False):
        if one != other:
            break
        length += 1
    prompt = good.prompt[:length]
    return prompt, good.prompt[length:] + good.said, bad.prompt[length:] + bad.said


def encoded(rows, encoder, *, whole=False):
    """Preferences as `prompt_ids`, `chosen_ids`, `rejected_ids`, no longer than the context; `whole` cuts no answer."""
    told = Told(rows=len(rows))
    names = [f"{name}_ids" for name in ROWS]

    def encode(batch):
        given = rowwise(batch)
        good, bad = (answers([_asked(row, name) for row in given], encoder) for name in ROWS[1:])
        made = []
        for row, one, other in zip(given, good, bad, strict=True):
            prompt, *both = paired(one, other)
            if both[0] == both[1]:
                told.equal += 1
                told.example = told.example or _shown(row)
                continue
            room = encoder.context - len(prompt)
            cut = sum(len(each) > room for each in both)
            if room < 1 or (whole and cut):
                told.dropped += 1
                continue
            told.cut += cut
            kept = [each[:room] for each in both]
            made.append((prompt, *kept))
            for name, said in zip(ROWS[1:], kept, strict=True):
                told.count(name, len(said))
        told.kept += len(made)
        return {name: [each[at] for each in made] for at, name in enumerate(names)}

    return rows.map(encode, batched=True, batch_size=AT_ONCE, remove_columns=rows.column_names), told


def judged(rows, encoder, seed, *, at_once):
    """Answers with a verdict as `prompt_ids`, `completion_ids`, `label`, in an order of their own; a preference makes two.

    How far a model has moved is told by answers that belong to other prompts: of the rows that go through it at once, each
    gets the answer of the one before it, as `KL_completion_ids`.
    """
    told = Told()

    def apart(batch):
        made = [each for row in rowwise(batch) for each in _verdicts(row)]
        names = ("prompt", "completion", "label", "tools")
        return {name: [each.get(name) for each in made] for name in names}

    def encode(batch):
        given = rowwise(batch)
        made = []
        for row, each in zip(given, answers([_asked(row, "completion") for row in given], encoder), strict=True):
            room = encoder.context - len(each.prompt)
            if room < 1:
                told.dropped += 1
                continue
            told.cut += len(each.said) > room
            made.append((each.prompt, each.said[:room], row["label"]))
            told.count("chosen" if row["label"] else "rejected", len(made[-1][1]))
        told.kept += len(made)
        return {name: [each[at] for each in made] for at, name in enumerate(("prompt_ids", "completion_ids", "label"))}

    def beside(batch):
        said = batch["completion_ids"]
        return {"KL_completion_ids": [said[-1], *said[:-1]]}

    split = rows.map(apart, batched=True, batch_size=AT_ONCE, remove_columns=rows.column_names)
    told.rows = len(split)
    made = split.shuffle(seed=seed).map(encode, batched=True, batch_size=AT_ONCE, remove_columns=split.column_names)
    return made.map(beside, batched=True, batch_size=at_once), told


def for_reward(rows):
    """Whole conversations, good and bad, as a reward model reads them."""
    return rows.map(
        lambda row: {
            "chosen_ids": row["prompt_ids"] + row["chosen_ids"],
            "rejected_ids": row["prompt_ids"] + row["rejected_ids"],
        },
        remove_columns=["prompt_ids"],
    )


def for_orpo(rows):
    """The same rows under the names that ORPO's collator takes them by."""

    def named(row):
        prompt = row["prompt_ids"]
        told = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
        for name in ROWS[1:]:
            said = row[f"{name}_ids"]
            told |= {
                f"{name}_input_ids": prompt + said,
                f"{name}_attention_mask": [1] * (len(prompt) + len(said)),
                f"{name}_labels": [UNTRAINED] * len(prompt) + said,
            }
        return told

    return rows.map(named, remove_columns=rows.column_names)


def rowwise(batch):
    """A batch of columns as rows."""
    names = list(batch)
    return [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]


def _asked(row, name):
    more = {"tools": row["tools"]} if row.get("tools") else {}
    return {"prompt": row["prompt"], "completion": row[name], **more}


def _verdicts(row):
    if row.get("chosen") is None:
        return [{**_asked(row, "completion"), "label": bool(row["label"])}]
    return [{**_asked(row, name), "label": name == "chosen"} for name in ROWS[1:]]


def _shown(row):
    """Both answers are this."""
    said = row["chosen"]
    return said if isinstance(said, str) else str(said[-1].get("content") or "")
