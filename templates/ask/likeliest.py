"""What each engine answers when it always takes the likeliest token: transformers, peft, llama.cpp, llama-server."""

from __future__ import annotations

import gc
from pathlib import Path

from asked import Asked, chat

FROZEN = {"date_string": "26 Jul 2024"}  # a template that asks for today would say something else each day


# --- what is asked ---


def questions(asked):
    """The chats that wait for an answer: those that were typed, or the first ones that the dataset asks; under a persona."""
    prompt = asked.get("prompt") or {}
    told = [{"messages": [{"role": "user", "content": text}], "wanted": ""} for text in asked["questions"]]
    told = told or of_dataset(Path(asked["data"]), asked["most"])
    index = index_of(prompt, asked)
    for each in told:  # what is looked up stands before the question for the model, and is not what was asked
        each["said"] = chat(Asked("", each["messages"], "", {}, prompt, ""))
        each["messages"] = index.ask(each["said"]) if index else each["said"]
    return told


def index_of(prompt, asked):
    """What a persona looks up, in the folder that it is kept in."""
    if not prompt.get("retrieval"):
        return None
    import retrieving

    return retrieving.of_prompt(asked["persona"])


def of_dataset(folder, most):
    """The first rows of the test split, or of the other one, that ask something: no two of them the same."""
    from asking import question
    from pyarrow import parquet

    told, seen = [], set()
    for split in ("test", "train"):
        for path in sorted((folder / split).glob("*.parquet")):
            for batch in parquet.ParquetFile(path).iter_batches(64):
                for row in batch.to_pylist():
                    found = question(row)
                    if found is None or not found[1] or found[1] in seen:
                        continue
                    seen.add(found[1])
                    said = found[0] if not isinstance(found[0], str) else [{"role": "user", "content": found[0]}]
                    told.append({"messages": said, "wanted": found[1]})
                    if len(told) == most:
                        return told
    return told


# --- transformers ---


def with_transformers(hop, chats, asked):
    """A folder, or an adapter beside the base that has all of its bits."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(asked["threads"])
    folder = hop["base"] if hop["form"] == "adapter" else hop["path"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16 if hop["large"] else torch.float32)
    if hop["form"] == "adapter":
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, hop["path"])
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    told = []
    for each in chats:
        text = rendered(tokenizer, each["messages"], asked["arguments"])
        ids = tokenizer(text, add_special_tokens=not tokenizer.chat_template, return_tensors="pt").input_ids.to(model.device)
        made = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=asked["tokens"],
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,
            pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        )
        said = made[0, ids.shape[1] :].tolist()
        ends = ending(model, tokenizer)
        told.append(answer([at for at in said if at not in ends], tokenizer.decode, asked["stop"]))
    del model
    gc.collect()
    return told


def rendered(tokenizer, messages, arguments):
    """The text that an answer follows; without a template, what was asked last."""
    if not tokenizer.chat_template:
        return messages[-1]["content"]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **{**FROZEN, **arguments})


def ending(model, tokenizer):
    """The tokens that end an answer."""
    told = model.generation_config.eos_token_id
    ends = told if isinstance(told, list) else [told]
    return {each for each in (*ends, tokenizer.eos_token_id) if each is not None}


# --- llama.cpp ---


def with_bindings(hop, chats, asked):
    """A GGUF in this process, with the template that it holds."""
    llama = opened(hop["path"], asked)
    import llama_cpp

    words = llama_cpp.llama_model_get_vocab(llama.model)
    render = template_of(llama, llama_cpp, words)
    told = []
    for each in chats:
        ids, said = render(each["messages"], asked["arguments"]), []
        llama.reset()
        for at in llama.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
            if llama_cpp.llama_vocab_is_eog(words, at) or len(said) == asked["tokens"]:
                break
            said.append(at)
        told.append(answer(said, decoder(llama), asked["stop"]))
    llama.close()
    return told


def opened(path, asked, **more):
    """The file, as llama.cpp has it."""
    import llama_home

    llama_cpp = llama_home.bindings(tell=print)
    threads = asked["threads"]
    return llama_cpp.Llama(path, n_ctx=asked["context"], n_threads=threads, n_threads_batch=threads, verbose=False, **more)


def template_of(llama, llama_cpp, words):
    """What makes token ids of a chat, by the file's own template."""
    template = llama.metadata.get("tokenizer.chat_template")
    if template is None:
        return lambda messages, _: llama.tokenize(messages[-1]["content"].encode(), special=True)
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    def name(at):
        return llama_cpp.llama_vocab_get_text(words, at).decode() if at != -1 else ""

    formatter = Jinja2ChatFormatter(template=template, eos_token=name(llama.token_eos()), bos_token=name(llama.token_bos()))

    def render(messages, arguments):
        made = formatter(messages=messages, **{**FROZEN, **arguments})
        return llama.tokenize(made.prompt.encode(), add_bos=not made.added_special, special=True)

    return render


def decoder(llama):
    """Token ids -> text."""
    return lambda ids: llama.detokenize(list(ids)).decode("utf-8", "replace")


def with_server(hop, chats, asked):
    """The same file, through llama-server on this machine's loopback: another template engine, another sampler."""
    import llama_home
    from llama_server import serving

    words = opened(hop["path"], asked, vocab_only=True)
    program = llama_home.build(tell=print) / "bin/llama-server"
    options = ("--ctx-size", str(asked["context"]), "--parallel", "1", "--threads", str(asked["threads"]))
    told = []
    with serving(program, Path(hop["path"]), *options) as ask:
        for each in chats:
            text = each["messages"][-1]["content"]
            if words.metadata.get("tokenizer.chat_template") is not None:
                body = {"messages": each["messages"], "chat_template_kwargs": {**FROZEN, **asked["arguments"]}}
                text = ask("/apply-template", body)["prompt"]
            wanted = {"temperature": 0, "top_k": 1, "repeat_penalty": 1.0, "cache_prompt": False, "return_tokens": True}
            made = ask("/completion", {"prompt": text, "n_predict": asked["tokens"], **wanted})
            told.append(answer(without_end(made["tokens"], words), decoder(words), asked["stop"]))
    words.close()
    return told


def without_end(ids, llama):
    """A server gives the token that ended the answer, too."""
    import llama_cpp

    words = llama_cpp.llama_model_get_vocab(llama.model)
    return [at for at in ids if not llama_cpp.llama_vocab_is_eog(words, at)]


# --- one answer ---


def answer(ids, decode, stop):
    """Its tokens, each with the text that it adds; it ends before a text that stops it."""
    pieces, text = [], ""
    for at in range(len(ids)):
        longer = decode(ids[: at + 1])
        # half a letter is shown with the token that completes it
        piece = "" if longer.endswith("\ufffd") and at + 1 < len(ids) else longer[len(text) :]
        whole = text + piece
        cut = min((found for each in stop if (found := whole.find(each)) >= 0), default=None)
        if cut is not None:
            pieces.append(whole[len(text) : cut])
            return {"text": whole[:cut].strip(), "ids": ids[: at + 1], "pieces": pieces}
        pieces.append(piece)
        text = whole
    return {"text": text.strip(), "ids": list(ids), "pieces": pieces}


ANSWERS = {"folder": with_transformers, "adapter": with_transformers, "gguf": with_bindings, "served": with_server}
