"""Rows of a dataset -> questions to a model: what it is asked, what the row answers, and all else that the row says."""

from chats import AT_ONCE, plain


def question(row):
    """What is asked in a row, and what it answers; nothing when it asks nothing."""
    if row.get("messages") is not None:
        messages = plain(row["messages"])
        last = max((at for at, each in enumerate(messages) if each["role"] == "assistant"), default=len(messages))
        said = messages[last].get("content") or "" if last < len(messages) else ""
        return (messages[:last], said) if last else None
    if row.get("question") is not None:
        return [{"role": "user", "content": row["question"]}], row.get("answer") or ""
    if isinstance(row.get("prompt"), str):
        return row["prompt"], _text(row.get("completion"))
    if row.get("prompt"):
        return plain(row["prompt"]), _text(row.get("completion"))
    return None


def _text(said):
    if said is None or isinstance(said, str):
        return said or ""
    return said[-1].get("content") or ""


def rendered(asked, encoder, tools=None):
    """The text that an answer follows."""
    if not isinstance(asked, str):
        return encoder.prompt(asked, tools)
    begin = encoder.tokenizer.bos_token or ""
    return begin + asked if encoder.begins and begin and not asked.startswith(begin) else asked


def questions(rows, encoder, room):
    """The rows that ask something and leave room for an answer: `prompt`, `answer`, `rendered`, and their other columns."""
    told = {"rows": len(rows), "long": 0, "empty": 0}
    spare = {"messages", "question", "prompt", "completion", "answer", "chosen", "rejected"}
    kept = [name for name in rows.column_names if name not in spare]

    def ask(batch):
        names = list(batch)
        made = []
        for values in zip(*batch.values(), strict=True):
            row = dict(zip(names, values, strict=True))
            found = question(row)
            if found is None:
                told["empty"] += 1
                continue
            text = rendered(found[0], encoder)
            if len(encoder.tokenizer(text, add_special_tokens=False)["input_ids"]) > room:
                told["long"] += 1
                continue
            made.append({"prompt": found[0], "answer": found[1], "rendered": text, **{name: row[name] for name in kept}})
        return {name: [each[name] for each in made] for name in ("prompt", "answer", "rendered", *kept)}

    return rows.map(ask, batched=True, batch_size=AT_ONCE, remove_columns=rows.column_names), told
