"""Rows that a model writes from other rows: asked, answered, judged; it goes on where it was cut short."""

import json
import os
import re
import time
from pathlib import Path

import forms
from flaws import stop
from reading import Record

AT_ONCE = 8  # rows; a part of the recipe, since draws are seeded a batch at a time
RATE = "Rate the text from 1 (worst) to 5 (best). Answer with the number only.\n\n{}"
NAMED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Written:
    """What a model writes: `kept` and `dropped` count what a judge said of it."""

    def __init__(self, asked, rows, form):
        self.asked, self.form = asked, form
        self.rows = [each for each, _ in zip(rows, range(asked["count"]), strict=False)] if asked["count"] else list(rows)
        self.kept = self.dropped = 0
        self.example = None

    def records(self):
        """Each written row with the side of the row that it was written from."""
        jobs = [(at, time) for at in range(len(self.rows)) for time in range(self.asked["times"])]
        batches = [jobs[start : start + AT_ONCE] for start in range(0, len(jobs), AT_ONCE)]
        done = Done(len(batches))
        for number, batch in enumerate(batches):
            for at, answer, score in done.batch(number, lambda batch=batch, number=number: self._write(batch, number)):
                side, row = self.rows[at]
                if not answer.strip():
                    self._drop(answer, "the model wrote nothing")
                elif score is not None and score < self.asked["least"]:
                    self._drop(answer, f"the judge gives it {score:.2f}")
                else:
                    self.kept += 1
                    yield side, Record(f"written {self.kept}", self._placed(row, answer, at))

    def _drop(self, answer, why):
        self.dropped += 1
        self.example = self.example or {"dropped": answer[:600], "because": why}

    def _placed(self, row, answer, at):
        """The row with the answer where it belongs, and which row it came from."""
        into, told = self.asked["into"], {"origin": str(at), **row}
        if into in ("user", "assistant") and self.form == "messages":
            messages = [dict(each) for each in row["messages"]]
            last = max((place for place, each in enumerate(messages) if each["role"] == into), default=None)
            if last is None:
                stop(f"`into: {into}` names no message of the row\n  name a role that it has")
            messages[last]["content"] = answer.strip()
            return {**told, "messages": messages}
        return {**told, into: answer.strip()}

    # --- the model ---

    def _write(self, batch, number):
        """A batch of answers, each with the judge's number."""
        prompts = [asking(self.asked["prompt"], self.rows[at][1], self.form) for at, _ in batch]
        answers = writer().answers(
            prompts,
            temperature=self.asked["temperature"],
            most=self.asked["max_tokens"],
            seed=self.asked["seed"] * 1_000_003 + number,
        )
        judged = Path("in/written/keep")
        scores = judge(judged).scores(answers) if judged.exists() else [None] * len(answers)
        return [[at, answer, score] for (at, _), answer, score in zip(batch, answers, scores, strict=True)]


def asking(prompt, row, form):
    """The prompt with the texts of a row in it."""
    texts = {name: value for name, value in row.items() if isinstance(value, str)} | {"row": forms.shown(row, form)}
    if form == "messages":
        texts |= {each["role"]: each["content"] for each in row["messages"]}

    def fill(found):
        if found[1] not in texts:
            stop(f"`prompt` names {{{found[1]}}}, which a row has not\n  it has {', '.join(f'{{{name}}}' for name in texts)}")
        return texts[found[1]]

    return NAMED.sub(fill, prompt)


class Done:
    """Batches that are written already, on disk: a batch is there whole or not at all."""

    PATH = Path("state/written.jsonl")

    def __init__(self, batches):
        self.batches, self.told, self.began = batches, [], time.monotonic()
        self.PATH.parent.mkdir(exist_ok=True)
        if self.PATH.exists():
            whole = self.PATH.read_bytes().rpartition(b"\n")[0]
            self.told = [json.loads(line) for line in whole.splitlines()]
            self.PATH.write_bytes(whole + b"\n" if whole else b"")

    def batch(self, number, write):
        """One batch: as it was written, or written now."""
        if number < len(self.told):
            return self.told[number]
        told = write()
        with self.PATH.open("ab") as file:
            file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._say(number + 1)
        return told

    def _say(self, step):
        spent = time.monotonic() - self.began
        left = (self.batches - step) * spent / max(1, step - len(self.told))
        fresh = Path("state/progress.new")
        fresh.write_text(json.dumps({"step": step, "of": self.batches}))
        fresh.replace("state/progress.json")
        with Path("events.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, "of": self.batches, "eta": round(left, 1)}) + "\n")


_LOADED = {}


def writer():
    """The model that writes, loaded once."""
    if "writer" not in _LOADED:
        _LOADED["writer"] = Writer(Path("in/written/by"))
    return _LOADED["writer"]


def judge(folder):
    """Whoever says what an answer is worth: a scorer, or a model that is asked."""
    if "judge" not in _LOADED:
        told = json.loads((folder / "config.json").read_text())
        scores = any("SequenceClassification" in each for each in told.get("architectures") or [])
        _LOADED["judge"] = Scorer(folder) if scores else Writer(folder)
    return _LOADED["judge"]


def _device():
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


class Writer:
    """A causal model: it answers, and it rates."""

    def __init__(self, folder):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").to(_device()).eval()

    def _prompts(self, texts):
        if not self.tokenizer.chat_template:
            return texts
        return [
            self.tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True)
            for text in texts
        ]

    def _inputs(self, texts):
        own = not self.tokenizer.chat_template
        return self.tokenizer(self._prompts(texts), return_tensors="pt", padding=True, add_special_tokens=own).to(_device())

    def answers(self, texts, *, temperature, most, seed):
        """What it answers to each text; the draws are seeded."""
        import torch

        inputs = self._inputs(texts)
        inputs.pop("token_type_ids", None)
        torch.manual_seed(seed)
        how = (
            {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 0.95}
            if temperature > 0
            else {"do_sample": False}
        )
        with torch.no_grad():
            told = self.model.generate(**inputs, max_new_tokens=most, pad_token_id=self.tokenizer.pad_token_id, **how)
        return self.tokenizer.batch_decode(told[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    def scores(self, texts):
        """The number from 1 to 5 that it expects to give each text."""
        import torch

        ids = [self.tokenizer(str(each), add_special_tokens=False)["input_ids"][-1] for each in range(1, 6)]
        inputs = self._inputs([RATE.format(text) for text in texts])
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            logits = self.model(**inputs).logits[:, -1, ids].float()
        return (logits.softmax(-1) @ torch.arange(1.0, 6.0, device=logits.device)).tolist()


class Scorer:
    """A model with one number for an answer."""

    def __init__(self, folder):
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype="auto").to(_device()).eval()
        self.model.config.pad_token_id = self.tokenizer.pad_token_id

    def scores(self, texts):
        """What it gives each text."""
        import torch

        inputs = self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True).to(_device())
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            return self.model(**inputs).logits[:, 0].float().tolist()
