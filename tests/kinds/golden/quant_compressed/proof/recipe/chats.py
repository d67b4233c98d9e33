"""Rows of a dataset -> token ids, which of them are trained, and who says each: chats, prompts with completions, text."""

import json
from dataclasses import dataclass
from pathlib import Path

ROLES = ("template", "system", "user", "assistant", "tool", "text")
UNTRAINED = -100
FROZEN = {"date_string": "26 Jul 2024"}  # a template that asks for today would say something else each day
AT_ONCE = 256


@dataclass
class Span:
    """Characters of a rendered row: who says them, and whether an assistant's turn ends with them."""

    start: int
    end: int
    role: str
    turn: bool = False


@dataclass
class Rendered:
    """A row as the model reads it."""

    text: str
    spans: list  # who says what, in order
    trained: list  # (start, end) of what is trained
    written: list  # (start, end) of what people wrote, without what a template or the tokenizer adds


@dataclass
class Encoder:
    """How rows become ids: one for training, tests and answers, so that all three read the same."""

    tokenizer: object
    template: str  # the training form, with marks round what the assistant says; or the published one
    context: int
    loss_on: str = "assistant"
    begins: int = 0
    end_of_turn: str = ""
    arguments: dict = None

    @classmethod
    def of(cls, folder, tokenizer, *, context, loss_on="assistant", arguments=None):
        """The encoder of a model's folder, by its templates and what zyc.json says of them."""
        folder = Path(folder)
        told = json.loads((folder / "zyc.json").read_text()) if (folder / "zyc.json").exists() else {}
        marked, published = folder / "training_template.jinja", folder / "chat_template.jinja"
        path = marked if marked.exists() else published
        template = path.read_text(encoding="utf-8") if path.exists() else (tokenizer.chat_template or "")
        if published.exists():
            tokenizer.chat_template = published.read_text(encoding="utf-8")
        if "strftime_now" in template and "date_string" not in template:
            raise SystemExit(f"{path.name} asks for today's date: give it a fixed one, or each day trains something else")
        begins = told.get("begins")
        if begins is None:
            begins = int(bool(tokenizer.bos_token) and getattr(tokenizer, "add_bos_token", False))
        end = told.get("end_of_turn") or tokenizer.eos_token or ""
        return cls(tokenizer, template, context, loss_on, begins, end, {**FROZEN, **(arguments or {})})

    @property
    def marked(self):
        """Whether the template says itself what the assistant says."""
        return "{% generation" in self.template or "{%- generation" in self.template

    def prompt(self, messages, tools=None):
        """The text that an answer follows."""
        return self._apply(plain(messages), tools, add_generation_prompt=True)

    def render(self, row):
        """One row as text, with who says what in it, and what of it is trained."""
        if row.get("messages") is not None:
            return self._chat(plain(row["messages"]), tools_of(row))
        if row.get("prompt") is not None and row.get("completion") is not None:
            if isinstance(row["prompt"], str):
                return self._completion(row["prompt"], row["completion"])
            before, after = plain(row["prompt"]), plain(row["completion"])
            return self._chat(before + after, tools_of(row), asked=len(before))
        if row.get("question") is not None:
            said = [{"role": "assistant", "content": row["answer"]}] if row.get("answer") else []
            return self._chat([{"role": "user", "content": row["question"]}, *said], None)
        before = self._open(row["text"])
        text = before + row["text"] + self._end(row["text"])
        written = len(before), len(before) + len(row["text"])
        return Rendered(text, [Span(0, len(text), "text")], [(0, len(text))], [written])

    def encode(self, rows):
        """Many rows -> ids, labels, roles, where an assistant's turns end, the characters of each id; cut to the context."""
        rendered = [self.render(row) for row in rows]
        told = self.tokenizer([each.text for each in rendered], add_special_tokens=False, return_offsets_mapping=True)
        return [self._labelled(*each) for each in zip(rendered, told["input_ids"], told["offset_mapping"], strict=True)]

    # --- one row ---

    def _apply(self, messages, tools, **more):
        if not self.template:
            raise SystemExit(
                "error: the base has no chat template, and the dataset holds chats\n  give its tokenizer a `chat_template`"
            )
        return self.tokenizer.apply_chat_template(
            messages, tools=tools, chat_template=self.template, tokenize=False, **more, **self.arguments
        )

    def _chat(self, messages, tools, asked=0):
        """A chat; `asked` messages stand before what is trained."""
        if self.marked:
            text, said = self._marked(messages, tools)
        elif sum(message["role"] == "assistant" for message in messages) == 1 and messages[-1]["role"] == "assistant":
            text = self._apply(messages, tools)
            said = [self._last(text, self.prompt(messages[:-1], tools))]
        elif self.loss_on == "all":
            text, said = self._apply(messages, tools), []
        else:
            raise SystemExit(
                "error: the base's chat template does not say what the assistant says, so chats of several turns cannot be "
                "trained on their answers\n  give the tokenizer a `chat_template` that zyc knows or that has marks, or write "
                "`loss_on: all`"
            )
        said = said[-sum(message["role"] == "assistant" for message in messages[asked:]) :] if asked else said
        spans = speakers(text, messages, said)
        written = [(span.start, span.end) for span in spans if span.turn or span.role != "assistant"]
        return Rendered(text, spans, [(0, len(text))] if self.loss_on == "all" else said, written)

    def _marked(self, messages, tools):
        from transformers.utils.chat_template_utils import render_jinja_template

        (text,), (said,) = render_jinja_template(
            [messages],
            tools=tools,
            chat_template=self.template,
            return_assistant_tokens_mask=True,
            **{**self.tokenizer.special_tokens_map, **self.arguments},
        )
        return text, [tuple(each) for each in said]

    def _last(self, text, prompt):
        """The last answer: what follows the prompt, up to the end of its turn."""
        if not text.startswith(prompt):
            raise SystemExit(
                "error: the base's chat template renders a prompt otherwise once it is answered\n  it needs marks round what an "
                "assistant says, or a `chat_template` that zyc knows"
            )
        end = text.find(self.end_of_turn, len(prompt)) if self.end_of_turn else -1
        return len(prompt), len(text) if end < 0 else end + len(self.end_of_turn)

    def _completion(self, prompt, completion):
        before = self._open(prompt)
        prompt = before + prompt
        text = prompt + completion + self._end(completion)
        written = len(before), len(prompt) + len(completion)
        spans = [Span(0, len(prompt), "user"), Span(len(prompt), len(prompt) + len(completion), "assistant", turn=True)]
        return Rendered(text, spans, [(0 if self.loss_on == "all" else len(prompt), len(text))], [written])

    def _open(self, text):
        begin = self.tokenizer.bos_token or ""
        return begin if self.begins and begin and not text.startswith(begin) else ""

    def _end(self, text):
        end = self.tokenizer.eos_token or ""
        return end if end and not text.endswith(end) else ""

    def _labelled(self, rendered, ids, offsets):
        count = len(ids)
        roles, labels, ends = [0] * count, [UNTRAINED] * count, []
        starts = [start for start, _ in offsets]
        for span in rendered.spans:
            at = _first(starts, span.start)
            role = ROLES.index(span.role)
            while at < count and offsets[at][0] < span.end:
                roles[at] = role
                at += 1
            if span.turn:
                ends.append(at)  # the first token behind what was said
        for start, end in rendered.trained:
            at = _first(starts, start)
            while at < count and offsets[at][0] < end:
                labels[at] = ids[at]
                at += 1
        cut = count > self.context
        keep = slice(0, self.context)
        told = {"input_ids": ids[keep], "labels": labels[keep], "roles": roles[keep], "ends": ends, "cut": cut}
        return {**told, "rendered": rendered, "offsets": offsets[keep]}


def _first(starts, char):
    """The first token that starts at a character or behind it."""
    from bisect import bisect_left

    return bisect_left(starts, char)


def plain(value):
    """Messages without the fields that only other rows have; the arguments of calls as what their JSON text says."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: plain(each) for name, each in value.items() if each is not None}
    if isinstance(told.get("arguments"), str):
        told["arguments"] = json.loads(told["arguments"])
    return told


def tools_of(row):
    """What a chat may call: a JSON text in the dataset."""
    tools = row.get("tools")
    return json.loads(tools) if isinstance(tools, str) and tools else tools or None


def speakers(text, messages, said):
    """Who says which characters of a rendered chat: what is marked is the assistant's, the rest is found in order."""
    spans, at, answers = [], 0, list(said)
    for message in messages:
        content = message.get("content")
        content = content if isinstance(content, str) else ""
        role = message["role"] if message["role"] in ROLES else "tool"
        found = text.find(content.strip(), at) if content.strip() else -1
        if role == "assistant" and answers and (found < 0 or found >= answers[0][0]):
            start, end = answers.pop(0)
            inside = found if start <= found < end else start
            turn = inside + len(content.strip()) if start <= found < end else end
            spans += [Span(start, turn, role, turn=True), Span(turn, end, role)]
            at = end
        elif found >= 0:
            spans.append(Span(found, found + len(content.strip()), role, turn=role == "assistant"))
            at = found + len(content.strip())
    return [span for span in spans if span.end > span.start or span.turn]


# --- a dataset ---


def read(folder, split):
    """One split of a dataset, lying on the disk as it is; nothing when it has none."""
    import datasets

    files = sorted(Path(folder, split).glob("*.parquet"))
    if not files:
        return None
    datasets.disable_progress_bars()
    datasets.disable_caching()
    Path("tmp").mkdir(exist_ok=True)
    try:
        rows = datasets.Dataset.from_parquet([str(file) for file in files], cache_dir="tmp/datasets")
    except Exception as error:  # noqa: BLE001  # pyarrow and datasets have a dozen
        raise SystemExit(f"{folder}/{split} cannot be read as parquet: {type(error).__name__}: {error}") from None
    return rows if len(rows) else None


def encoded(rows, encoder):
    """The rows as ids and labels, and what became of them: how many were cut, and how many have nothing left to train."""
    if rows is None:
        raise SystemExit("error: the dataset has no rows to train on: its split, or its cleaning, left none")

    def encode(batch):
        names = list(batch)
        given = [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        made = encoder.encode(given)
        return {name: [each[name] for each in made] for name in ("input_ids", "labels", "roles", "ends", "cut")}

    made = rows.map(encode, batched=True, batch_size=AT_ONCE, remove_columns=rows.column_names)
    kept = made.filter(
        lambda batch: [any(label != UNTRAINED for label in labels) for labels in batch["labels"]],
        batched=True,
        batch_size=AT_ONCE,
    )
    if not len(kept):
        raise SystemExit(
            f"error: 0 % of the tokens would be trained: of {len(rows):,} rows none has anything to learn. The base's chat "
            "template (training_template.jinja) marks nothing as the assistant's, or the context is too short for an answer\n"
            "  see `context` and the tokenizer's `chat_template`"
        )
    longest = max(map(len, kept.with_format("numpy")["input_ids"]), default=0)
    told = {"rows": len(rows), "cut": sum(made["cut"]), "dropped": len(made) - len(kept), "longest": longest}
    return kept, told
