"""Examples that stand before a question, as the messages of a chat."""

from pathlib import Path


def as_messages(turns):
    """Questions and answers as a chat has them."""
    roles = ("user", "assistant")
    return [{"role": role, "content": text} for turn in turns for role, text in zip(roles, turn, strict=True)]


def of_dataset(home, *, most):
    """The first rows of what is trained on, each as one question with its answer."""
    import pyarrow.parquet

    found = []
    for path in sorted(Path(home, "train").glob("*.parquet")):
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=most):
            for row in batch.to_pylist():
                found.append(of_row(row))
                if len(found) == most:
                    return found
    return found


def of_row(row):
    """The question and the answer of a row: the last ones of a chat."""
    if row.get("messages"):
        chat = [(each["role"], each["content"]) for each in row["messages"] if each["role"] in ("user", "assistant")]
        asked = [text for role, text in chat if role == "user"]
        said = [text for role, text in chat if role == "assistant"]
        return [asked[-1], said[-1]]
    if "question" in row:
        return [row["question"], row["answer"]]
    return [_text(row["prompt"]), _text(row["completion"])]


def _text(value):
    return value if isinstance(value, str) else value[-1]["content"]
