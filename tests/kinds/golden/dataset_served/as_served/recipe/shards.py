"""Rows -> parquet shards: one schema for all of them, the same bytes each time."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS, BYTES = 2_000, 64_000_000  # of a row group, of a shard (as JSON)
FIRST = (
    "messages",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "label",
    "question",
    "answer",
    "options",
    "text",
    "role",
    "content",
)
_WIDER = {("int", "float"): "float", ("float", "int"): "float"}


def shape_of(value):
    """What a value is made of: a word, a list of one shape, a mapping of shapes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list):
        inner = "null"
        for each in value:
            inner = merged(inner, shape_of(each))
        return [inner]
    return "float" if isinstance(value, float) else "text"


def merged(one, two):
    """A shape that both fit into; what has nothing in common is kept as JSON."""
    if one is None or one in ("null", two):
        return one if two is None else two
    if two is None or two == "null":
        return one
    if isinstance(one, dict) and isinstance(two, dict):
        return {
            name: merged(one.get(name, "null"), two.get(name, "null"))
            for name in (*one, *(each for each in two if each not in one))
        }
    if isinstance(one, list) and isinstance(two, list):
        return [merged(one[0], two[0])]
    return _WIDER.get((one, two), "json") if isinstance(one, str) and isinstance(two, str) else "json"


def _ordered(names):
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def type_of(shape):
    """A shape as arrow has it."""
    if isinstance(shape, dict):
        return pa.struct([(name, type_of(shape[name])) for name in _ordered(shape)]) if shape else pa.string()
    if isinstance(shape, list):
        return pa.list_(type_of(shape[0]))
    plain = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "null": pa.string()}
    return plain.get(shape, pa.string())


def schema_of(shape):
    """The columns of all rows: those of the form first, then by name."""
    return pa.schema([(name, type_of(shape[name])) for name in _ordered(shape)])


def fitted(value, shape):
    """A value where its shape is kept as JSON somewhere."""
    if value is None:
        return None
    if shape in ("json", {}):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(shape, dict):
        return {name: fitted(value.get(name), each) for name, each in shape.items()}
    if isinstance(shape, list):
        return [fitted(each, shape[0]) for each in value]
    return float(value) if shape == "float" else value


class Side:
    """The shards of one side of the split."""

    def __init__(self, folder, shape):
        self.folder, self.shape, self.schema = Path(folder), shape, schema_of(shape)
        self.rows = self.number = self.bytes = 0
        self.held, self.writer = [], None

    def add(self, row, size):
        """One more row."""
        self.held.append({name: fitted(row.get(name), each) for name, each in self.shape.items()})
        self.rows += 1
        self.bytes += size
        if len(self.held) >= ROWS:
            self._flush()
        if self.bytes >= BYTES:
            self.close()

    def _flush(self):
        if not self.held:
            return
        if self.writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{self.number:05}.parquet"
            # what could move the bytes is said: nothing is left to a default that may change
            self.writer = pq.ParquetWriter(
                path, self.schema, version="2.6", compression="zstd", compression_level=3, store_schema=False
            )
        self.writer.write_table(pa.Table.from_pylist(self.held, schema=self.schema), row_group_size=ROWS)
        self.held = []

    def close(self):
        """The shard is whole."""
        self._flush()
        if self.writer is not None:
            self.writer.close()
            self.writer, self.number, self.bytes = None, self.number + 1, 0
