"""A model in the engine that will serve it: a chat becomes ids by its own template, ids become the numbers of the next token.

One engine a format: llama.cpp for a GGUF, transformers for a model, onnxruntime for an ONNX model. What is done with the
numbers, greedy or drawn, is the same Python for all of them: see sampler.
"""

import json
import os
from pathlib import Path

import numpy as np

FROZEN = {"date_string": "26 Jul 2024"}  # a template that asks for today would say something else each day
BATCH = 512  # tokens that are read at once


def threads():
    """As many as the step was given."""
    return max(1, int(os.environ.get("OMP_NUM_THREADS") or 1))


def opened(engine, folder, *, context, llama_cpp=None):
    """The engine with the model of a folder in it; it sees `context` tokens, or fewer where the model does."""
    folder = Path(folder)
    if engine == "llama.cpp":
        return LlamaCpp(folder, context, llama_cpp)
    return Transformers(folder, context) if engine == "transformers" else OnnxRuntime(folder, context)


def gguf_in(folder):
    """The file, or the first of its shards."""
    found = [*sorted(Path(folder).glob("model.gguf")), *sorted(Path(folder).glob("model-00001-of-*.gguf"))]
    if not found:
        raise SystemExit(f"error: {folder} holds no model.gguf")
    return found[0]


def without_template(messages):
    """A model that knows no chats is handed what was said, one turn a paragraph."""
    return "\n\n".join(each["content"] for each in messages)


def ends_of(folder, tokenizer, end_of_turn=None):
    """The tokens that end an answer: by the tokenizer, by the template, and by what the makers of the model wrote beside it."""
    listed = _document(folder / "generation_config.json").get("eos_token_id")
    ends = [tokenizer.eos_token_id, *(listed if isinstance(listed, list) else [listed])]
    ends += [tokenizer.convert_tokens_to_ids(end_of_turn)] if end_of_turn else []
    return {each for each in ends if isinstance(each, int)}


def _document(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


class LlamaCpp:
    """A GGUF, with the template that is in the file."""

    def __init__(self, folder, context, version):
        import llama_home

        self.library = llama_home.bindings(version, print)
        settings = {"n_threads": threads(), "n_threads_batch": threads(), "verbose": False}
        trained = self._trained(gguf_in(folder))
        self.context = min(context, trained or context)
        batch = min(BATCH, self.context)
        self.llama = self.library.Llama(str(gguf_in(folder)), n_ctx=self.context, n_batch=batch, n_ubatch=batch, **settings)
        self.batch = self.library.llama_batch_init(batch, 0, 1)
        self.words = self.library.llama_model_get_vocab(self.llama.model)
        self.vocabulary = self.llama.n_vocab()
        self.template = self.llama.metadata.get("tokenizer.chat_template")
        begins = self.library.llama_vocab_get_add_bos(self.words)
        self.begin = [self.llama.token_bos()] if begins and self.llama.token_bos() >= 0 else []

    def _trained(self, path):
        from gguf import GGUFReader

        fields = GGUFReader(path).fields
        name = fields["general.architecture"].contents()
        told = fields.get(f"{name}.context_length")
        return int(told.contents()) if told is not None else None

    def render(self, messages, arguments=None):
        """The text that an answer follows."""
        if not self.template:
            return without_template(messages)
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        def name(at):
            return self.library.llama_vocab_get_text(self.words, at).decode() if at >= 0 else ""

        tokens = {"bos_token": name(self.llama.token_bos()), "eos_token": name(self.llama.token_eos())}
        formatter = Jinja2ChatFormatter(template=self.template, **tokens)
        return formatter(messages=messages, **{**FROZEN, **(arguments or {})}).prompt

    def ids(self, text):
        """Token ids of a rendered text, in which special tokens count."""
        return self.llama.tokenize(text.encode(), add_bos=not self.template, special=True)

    def plain(self, text):
        """Token ids of a text that is nothing but text, without a BOS."""
        return self.llama.tokenize(text.encode(), add_bos=False, special=False)

    def text(self, ids):
        """What they say; special tokens say nothing."""
        return self.llama.detokenize(list(ids)).decode(errors="replace")

    def ends(self, token):
        """Whether it ends an answer."""
        return bool(self.library.llama_vocab_is_eog(self.words, token))

    def read(self, ids):
        """What is expected behind these ids; all that was read before is forgotten."""
        self.llama.reset()
        self.llama.eval(ids)
        return self._row(-1)

    def step(self, token):
        """What is expected once this token is there, too."""
        self.llama.eval([token])
        return self._row(-1)

    def every(self, ids):
        """What is expected behind each of the ids: a table of logits."""
        self.llama.reset()
        self.library.llama_memory_seq_rm(self.library.llama_get_memory(self.llama.ctx), -1, 0, -1)
        told = np.empty((len(ids), self.vocabulary), np.float32)
        for at in range(0, len(ids), self.llama.n_batch):
            part = ids[at : at + self.llama.n_batch]
            self._decode(part, at)
            flat = np.ctypeslib.as_array(self.library.llama_get_logits(self.llama.ctx), shape=(len(part) * self.vocabulary,))
            told[at : at + len(part)] = flat.reshape(len(part), self.vocabulary)
        return told

    def _decode(self, ids, past):
        """Read some ids behind so many others, and keep what is expected behind each; the bindings keep the last only."""
        batch = self.batch
        batch.n_tokens = len(ids)
        for at, token in enumerate(ids):
            batch.token[at], batch.pos[at], batch.logits[at] = token, past + at, True
            batch.seq_id[at][0], batch.n_seq_id[at] = 0, 1
        if self.library.llama_decode(self.llama.ctx, batch):
            raise SystemExit("error: llama.cpp could not read the text: it is longer than what memory is held for")

    def _row(self, at):
        row = self.library.llama_get_logits_ith(self.llama.ctx, at)
        return np.ctypeslib.as_array(row, shape=(self.vocabulary,))

    def close(self):
        """Give the memory back."""
        self.library.llama_batch_free(self.batch)
        self.llama.close()


class _FromFolder:
    """What a folder with the files of a tokenizer says; transformers reads them."""

    def _open(self, folder, context):
        from transformers import AutoConfig, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        published = folder / "chat_template.jinja"
        if published.exists():
            self.tokenizer.chat_template = published.read_text(encoding="utf-8")
        config = AutoConfig.from_pretrained(folder)
        self.context = min(context, getattr(config, "max_position_embeddings", context))
        told = _document(folder / "zyc.json")
        self._ends = ends_of(folder, self.tokenizer, told.get("end_of_turn"))
        self.vocabulary = config.vocab_size
        self.template = self.tokenizer.chat_template
        begins = told.get("begins")
        begins = begins if begins is not None else int(bool(self.tokenizer.bos_token))
        self.begin = [self.tokenizer.bos_token_id] if begins and self.tokenizer.bos_token_id is not None else []

    def render(self, messages, arguments=None):
        """The text that an answer follows."""
        if not self.template:
            return without_template(messages)
        more = {**FROZEN, **(arguments or {})}
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **more)

    def ids(self, text):
        """Token ids of a rendered text, in which special tokens count."""
        return [*([] if self.template else self.begin), *self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def plain(self, text):
        """Token ids of a text that is nothing but text, without a BOS."""
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def text(self, ids):
        """What they say; special tokens say nothing."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def ends(self, token):
        """Whether it ends an answer."""
        return token in self._ends

    def close(self):
        """Give the memory back."""


class Transformers(_FromFolder):
    """A model in transformers, with the numbers that its files hold."""

    def __init__(self, folder, context):
        import torch
        from transformers import AutoModelForCausalLM

        self.torch = torch
        torch.set_num_threads(threads())
        self._open(folder, context)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").to(self.device).eval()
        self.past = None

    def _forward(self, ids, *, past=None, keep=1):
        with self.torch.no_grad():
            given = self.torch.tensor([list(ids)], device=self.device)
            made = self.model(input_ids=given, past_key_values=past, use_cache=True, logits_to_keep=keep)
        self.past = made.past_key_values
        return made.logits[0].float().cpu().numpy()

    def read(self, ids):
        """What is expected behind these ids; all that was read before is forgotten."""
        return self._forward(ids)[-1]

    def step(self, token):
        """What is expected once this token is there, too."""
        return self._forward([token], past=self.past)[-1]

    def every(self, ids):
        """What is expected behind each of the ids: a table of logits."""
        return self._forward(ids, keep=0)


class OnnxRuntime(_FromFolder):
    """A graph of ONNX that keeps what it has read, as it will be served."""

    def __init__(self, folder, context):
        from onnx_session import Session

        self._open(folder, context)
        found = sorted(folder.rglob("model.onnx"))
        if not found:
            raise SystemExit(f"error: {folder} holds no model.onnx")
        self.session = Session(found[0])
        self.kept = None

    def every(self, ids):
        """What is expected behind each of the ids: a table of logits."""
        return self.session.logits(list(ids))

    def read(self, ids):
        """What is expected behind these ids; all that was read before is forgotten."""
        logits, self.kept = self.session.step(np.array([list(ids)]))
        return logits[0, -1]

    def step(self, token):
        """What is expected once this token is there, too."""
        logits, self.kept = self.session.step(np.array([[token]]), None, self.kept)
        return logits[0, -1]
