"""The texts of files: what people wrote, of rows and of plain text alike, one file after the other, by their names."""

import csv
import json
from pathlib import Path

UTF8 = "utf-8-sig"  # with its mark or without
# the columns of rows whose text counts; a row without any of them is text as a whole
COLUMNS = ("messages", "prompt", "completion", "chosen", "rejected", "question", "answer", "text")


def files_of(path, suffix):
    """The files of a source with the way to read each: of a dataset only what is trained on."""
    path = Path(path)
    if suffix == "dataset":
        return [(each, ".parquet") for each in sorted((path / "train").glob("*.parquet"))]
    if path.is_dir():
        return [(each, each.suffix) for each in sorted(path.rglob("*")) if each.is_file()]
    return [(path, suffix)]


def read(path, suffix):
    """Every text of a source."""
    for file, way in files_of(path, suffix):
        yield from READERS.get(way.lower(), _plain)(file)


def of_row(row):
    """The texts of a row."""
    if not isinstance(row, dict):
        return [row] if isinstance(row, str) else []
    found = [text for name in COLUMNS if row.get(name) for text in _of_value(row[name])]
    return found or [each for each in row.values() if isinstance(each, str)]


def _of_value(value):
    if isinstance(value, str):
        return [value]
    turns = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return [each["content"] for each in turns if isinstance(each.get("content"), str)]


def _plain(file):
    with file.open(encoding=UTF8) as lines:
        for line in lines:
            yield line.rstrip("\r\n")


def _parquet(file):
    import pyarrow.parquet

    for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=256):
        for row in batch.to_pylist():
            yield from of_row(row)


def _jsonl(file):
    with file.open(encoding=UTF8) as lines:
        for line in lines:
            if line.strip():
                yield from of_row(json.loads(line))


def _json(file):
    told = json.loads(file.read_text(encoding=UTF8))
    for row in told if isinstance(told, list) else [told]:
        yield from of_row(row)


def _table(separator):
    def read(file):
        csv.field_size_limit(2**31 - 1)
        with file.open(encoding=UTF8, newline="") as lines:
            for row in csv.DictReader(lines, delimiter=separator):
                yield from of_row(row)

    return read


READERS = {
    ".parquet": _parquet, ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".csv": _table(","), ".tsv": _table("\t"),
}  # fmt: skip
