"""Teachers write answers: each by its own template, batch after batch into a file, so that a kill loses the last batch only."""

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import asking
import bases
import chats
import telling

HOME = Path("state/answers")
AT_ONCE = 16  # prompts that are answered together: part of what is drawn
MOST = 64  # held out rows that a teacher answers
PATIENCE = 5.0  # seconds between two looks of a process that waits


@dataclass
class How:
    """How teachers are asked."""

    context: int
    longest: int  # tokens of an answer
    seed: int
    arguments: dict
    temperature: float = 0.0
    top_p: float = 1.0

    @property
    def greedy(self):
        """The same, but the likeliest answer: for what is held out."""
        return replace(self, temperature=0.0)

    @property
    def drawn(self):
        """As `generate` takes it."""
        if not self.temperature:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": 0}


def shares(counts, weights):
    """How many rows of each teacher: as many as there are in the given proportions; without any, all of them."""
    if not any(weights):
        return list(counts)
    total = min(count / weight for count, weight in zip(counts, weights, strict=True))
    return [min(count, round(total * weight)) for count, weight in zip(counts, weights, strict=True)]


def kept(path, rows):
    """The answers that a file holds, whole batches only."""
    told = telling.history(path)
    whole = min(len(told) - len(told) % AT_ONCE if len(told) < rows else rows, rows)
    return told[:whole]


def write(path, prompts, tokenizer, model, how):
    """One line a prompt: what the teacher says, and whether it came to an end."""
    import torch

    done = kept(path, len(prompts))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in done), encoding="utf-8")
    tokenizer.padding_side = "left"
    for start in range(len(done), len(prompts), AT_ONCE):
        torch.manual_seed(how.seed + start)  # each batch by its own: one that is drawn again is the same
        part = prompts[start : start + AT_ONCE]
        ids = tokenizer(part, add_special_tokens=False, return_tensors="pt", padding=True).to(model.device)
        with torch.no_grad():
            made = model.generate(
                **{name: ids[name] for name in ("input_ids", "attention_mask")},
                max_new_tokens=how.longest,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
                use_cache=True,
                **how.drawn,
            )
        said = made[:, ids["input_ids"].shape[1] :].tolist()
        with path.open("a", encoding="utf-8") as file:
            for each in said:
                text = tokenizer.decode(each, skip_special_tokens=True)
                told = {"text": text, "ends": tokenizer.eos_token_id in each}
                file.write(json.dumps(told, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        telling.event(step=min(start + AT_ONCE, len(prompts)), of=len(prompts))
    return kept(path, len(prompts))


def rows_of(asked, answers, told):
    """What a student learns: prompts with answers that say something and end."""
    made = []
    for row, answer in zip(asked, answers, strict=True):
        told["empty"] += not answer["text"].strip()
        told["endless"] += bool(answer["text"].strip()) and not answer["ends"]
        if answer["text"].strip() and answer["ends"]:
            prompt = row["prompt"]
            said = answer["text"] if isinstance(prompt, str) else [{"role": "assistant", "content": answer["text"]}]
            made.append({"prompt": prompt, "completion": said})
    return made


@dataclass
class Written:
    """What one teacher wrote: rows to learn from, rows that are held out, and what became of its prompts."""

    train: list
    test: list
    told: dict


def all_written(teachers, placed, how):
    """What every teacher wrote, and the rows that a student learns of it."""
    import datasets

    asked = [_asked(each, how) for each in teachers]
    weights = [each["weight"] for each in teachers]
    written = []
    for at, (each, count) in enumerate(zip(asked, shares([len(each.train) for each in asked], weights), strict=True)):
        if not count:
            raise SystemExit(
                f"error: teacher {at + 1} has no prompts to answer: of {each.told['rows']:,} rows {each.told['long']:,} are too "
                f"long and {each.told['empty']:,} ask nothing; see `prompts`, `context` and `answers.max_tokens`"
            )
        splits = {"train": each.train.select(range(count)), "test": each.test}
        said = _answers(at, each, splits, placed, how)
        told = {"asked": count, "empty": 0, "endless": 0}
        rows = rows_of(splits["train"], said["train"], told)
        written.append(Written(rows, rows_of(each.test, said["test"], {"empty": 0, "endless": 0}), told))
    for each, count in zip(written, shares([len(each.train) for each in written], weights), strict=True):
        each.train = each.train[:count]
    print(table(written))
    lists = [datasets.Dataset.from_list(each.train) for each in written if each.train]
    if not lists:
        raise SystemExit(
            "error: no teacher wrote an answer that says something and ends: see `answers.max_tokens`, or ask others"
        )
    return written, datasets.concatenate_datasets(lists)


def held_out(teachers, placed, how):
    """What the teachers say to prompts that are held out, and nothing else: to see how far a student agrees."""
    told = []
    for at, teacher in enumerate(teachers):
        each = _asked(teacher, how)
        said = _answers(at, each, {"test": each.test}, placed, how)
        told.append(Written([], rows_of(each.test, said["test"], {"empty": 0, "endless": 0}), {}))
    return told


@dataclass
class Asked:
    """What one teacher is asked, by its own template."""

    home: Path
    tokenizer: object
    train: object
    test: object
    told: dict


def _asked(teacher, how):
    home = bases.folder(teacher["model"])
    encoder = chats.Encoder.of(home, bases.tokenizer(home), context=how.context, arguments=how.arguments)
    train, told = asking.questions(chats.read(teacher["prompts"], "train"), encoder, how.context - how.longest)
    apart = chats.read(teacher["prompts"], "test")
    test = asking.questions(apart, encoder, how.context - how.longest)[0] if apart else train
    return Asked(home, encoder.tokenizer, train.shuffle(seed=how.seed), test.select(range(min(MOST, len(test)))), told)


def _answers(at, asked, splits, placed, how):
    """The answers of one teacher to each split; the first process lets it write, the others wait for it."""
    files = {split: HOME / f"{at}-{split}.jsonl" for split in splits}

    def missing():
        return [split for split, rows in splits.items() if len(kept(files[split], len(rows))) < len(rows)]

    if placed.first and missing():
        from transformers import AutoModelForCausalLM

        # a teacher is loaded only while it has something to write
        model = bases.ready(AutoModelForCausalLM.from_pretrained(asked.home, dtype="auto"), placed)
        for split in missing():
            prompts = splits[split]["rendered"][:]
            write(files[split], prompts, asked.tokenizer, model, how if split == "train" else how.greedy)
    while missing():
        time.sleep(PATIENCE)
    return {split: kept(files[split], len(rows)) for split, rows in splits.items()}


def encoded(rows, encoder):
    """What a teacher said, as ids of the student; nothing when it said nothing."""
    import datasets

    return chats.encoded(datasets.Dataset.from_list(rows), encoder)[0] if rows else None


def together(held):
    """What all teachers said to prompts that are held out."""
    import datasets

    there = [each for each in held if each is not None and len(each)]
    return datasets.concatenate_datasets(there) if there else None


def listed(written):
    """The same as rows with prompts, for the answers before and after."""
    import datasets

    rows = [row for each in written for row in each.test[:1]] + [row for each in written for row in each.test[1:3]]
    return datasets.Dataset.from_list(rows) if rows else None


def measured(written):
    """Answers that were written, and those that were no use."""
    told = [each.told for each in written if each.told]
    names = {"answers": "asked", "answers.empty": "empty", "answers.endless": "endless"}
    return {name: sum(each[key] for each in told) for name, key in names.items()} if told else {}


def table(written):
    """What the teachers wrote, for a person."""
    lines = ["what the teachers wrote", "", "teacher      asked   learned     empty   endless"]
    for at, each in enumerate(written):
        told = each.told
        lines.append(f"{at + 1:<8}{told['asked']:>10,}{len(each.train):>10,}{told['empty']:>10,}{told['endless']:>10,}")
    example = next((each.train[0] for each in written if each.train), None)
    if example is not None:
        said = example["completion"]
        lines += ["", f"the first answer: {said if isinstance(said, str) else said[-1]['content']}"]
    return "\n".join([*lines, ""])
