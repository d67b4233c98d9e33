"""Which columns of each matrix matter: texts of a dataset go through the model, and llama-imatrix sums what they are given."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jinja2 import TemplateError
from quantizer import Trap, reader

TOKENS = 200_000  # of texts: more change little
CHUNK = 512  # tokens that are looked at together
FEW = 2 * 32  # tokens: with fewer there is nothing to sum


@dataclass(frozen=True)
class Importance:
    """The sums, and what they were made of."""

    columns: Mapping[str, np.ndarray]
    rows: int
    tokens: int
    chunks: int

    @property
    def says(self) -> str:
        """In a sentence."""
        return f"importance of {len(self.columns)} matrices from {self.rows:,} rows, {self.tokens:,} tokens"

    @property
    def metadata(self) -> dict[str, object]:
        """What the file says of it."""
        return {"quantize.imatrix.entries_count": len(self.columns), "quantize.imatrix.chunks_count": self.chunks}

    def keep(self, path: Path) -> None:
        """Beside the file, for whoever asks what it was made with."""
        told = {"rows": self.rows, "tokens": self.tokens, "chunks": self.chunks, "matrices": len(self.columns)}
        path.write_text(json.dumps(told, indent=2) + "\n")


def importance(llama_cpp: ModuleType, program: Path, home: Path, source: Path, dataset: Path, *, threads: int) -> Importance:
    """Sum the squares of what each column is multiplied with, over the texts of a dataset."""
    text, rows, tokens, context = _text(llama_cpp, source, dataset)
    if tokens < FEW:
        raise Trap(f"the texts of the dataset have {tokens} tokens: at least {FEW} are needed, and a few thousand are good")
    chunk = min(CHUNK, context, tokens // 2)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "texts").write_text(text, encoding="utf-8")
        options = ["--ctx-size", str(chunk), "--threads", str(threads), "--parse-special", "--no-ppl", "--n-gpu-layers", "0"]
        command = [str(program), "-m", str(source), "-f", f"{folder}/texts", "-o", f"{folder}/sums.gguf", *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode or not Path(folder, "sums.gguf").is_file():
            raise Trap(f"llama-imatrix failed with {done.returncode}:\n{done.stdout[-1500:]}")
        columns = dict(_columns(reader(home), Path(folder, "sums.gguf")))
    return Importance(columns, rows, tokens, tokens // chunk)


def _columns(reading: Any, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The mean of the squares, matrix by matrix; an expert that was never asked counts as one that matters as usual."""
    values = dict(reading(path).values())
    for name, sums in values.items():
        owner, found, what = name.rpartition(".")
        if not found or what != "in_sum2":
            continue
        counts = values[f"{owner}.counts"].reshape(-1)
        each = sums.reshape(len(counts), -1)
        means = np.where(counts[:, None] > 0, each / np.maximum(counts, 1)[:, None], 1.0)
        yield owner, np.ascontiguousarray(means.reshape(-1), dtype=np.float32)


def _text(llama_cpp: ModuleType, source: Path, dataset: Path) -> tuple[str, int, int, int]:
    """The rows as the model reads them, how many, how many tokens, and how many of those the model takes at once."""
    try:
        llama = llama_cpp.Llama(str(source), vocab_only=True, verbose=False)
    except ValueError as error:
        raise Trap(f"{source} cannot be read: {error}") from None
    render = _renderer(llama_cpp, llama)
    texts: list[str] = []
    tokens = 0
    for row in _rows(dataset):
        text = render(row)
        if text:
            texts.append(text)
            tokens += len(llama.tokenize(text.encode(), add_bos=False, special=True))
        if tokens >= TOKENS:
            break
    context = int(llama.metadata.get(f"{llama.metadata['general.architecture']}.context_length", CHUNK))
    llama.close()
    return "\n".join(texts), len(texts), tokens, context


def _rows(dataset: Path) -> Iterator[dict[str, Any]]:
    """Those that are trained on: the held-out ones are for the proof."""
    from pyarrow import parquet

    files = sorted((dataset / "train").glob("*.parquet"))
    if not files:
        raise Trap("the dataset of `imatrix` has no rows")
    for path in files:
        for batch in parquet.ParquetFile(path).iter_batches(256):
            yield from batch.to_pylist()


def _answered(text: str, message: Mapping[str, Any]) -> str:
    """A chat without what waits for an answer behind the last one; a template may trim what was said."""
    last = (message.get("content") or "").strip()
    at = text.rfind(last) if message["role"] == "assistant" and last else -1
    return text[: at + len(last)] if at >= 0 else text


def _renderer(llama_cpp: ModuleType, llama: Any) -> Callable[[Mapping[str, Any]], str]:
    """A row as text, chats by the template that lies in the file."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    words, template = llama_cpp.llama_model_get_vocab(llama.model), llama.metadata.get("tokenizer.chat_template")

    def name(at: int) -> str:
        return llama_cpp.llama_vocab_get_text(words, at).decode() if at != -1 else ""

    formatter = None
    if template:
        formatter = Jinja2ChatFormatter(template=template, eos_token=name(llama.token_eos()), bos_token=name(llama.token_bos()))

    def chat(messages: list[dict[str, Any]]) -> str:
        if formatter is None:
            return "\n\n".join(each.get("content") or "" for each in messages)
        try:
            return _answered(formatter(messages=messages).prompt, messages[-1])
        except (TemplateError, ValueError):  # it may refuse a system's turn
            return ""

    def render(row: Mapping[str, Any]) -> str:
        messages = _messages(row)
        if messages:
            return chat([{key: value for key, value in each.items() if value is not None} for each in messages])
        if row.get("prompt") is not None:
            return f"{row['prompt']}{row.get('completion', row.get('chosen')) or ''}"
        return row.get("text") or ""

    return render


def _messages(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chat that a row is; none where it is text."""
    if row.get("messages"):
        return row["messages"]
    if row.get("question") is not None:
        answer = [{"role": "assistant", "content": row["answer"]}] if row.get("answer") else []
        return [{"role": "user", "content": row["question"]}, *answer]
    prompt, answer = row.get("prompt"), row.get("completion", row.get("chosen"))
    if not isinstance(prompt, list) and not isinstance(answer, list):
        return []
    asked = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}] if prompt else []
    return [*asked, *(answer if isinstance(answer, list) else [])]
