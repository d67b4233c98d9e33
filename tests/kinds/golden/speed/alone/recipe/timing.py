"""Answers of a given length, timed: alone in this process, or for several clients of a server."""

import json
import os
import platform
import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import telling
from answering import gguf_in, opened, threads
from asked import Asked, chat
from sampler import choose

WORDS = "Pourquoi la liberté est-elle si difficile, et que dirais-tu à celui qui doute de tout ? "


@dataclass
class Work:
    """How much is asked."""

    prompt: int
    new: int
    context: int
    runs: int


@dataclass
class Run:
    """One answer."""

    first: float  # seconds until it begins
    whole: float  # until it is there
    tokens: int
    ended: float  # on the clock of the step


def question(ids, render, prompt, count):
    """Ids of a chat of exactly so many tokens: its question is lengthened, then cut before what comes behind it."""
    words = WORDS
    while True:
        text = render(chat(Asked("", [{"role": "user", "content": words}], "", {}, prompt, "")), prompt.get("arguments"))
        found = ids(text)
        if len(found) >= count:
            return found[: count - 8] + found[-8:] if count > 16 else found[:count]
        words += WORDS


def alone(work, prompt, engine, llama_cpp):
    """One client in this process: every run, and the memory of the process at its peak."""
    before = telling.peak_memory("cpu")
    model = opened(engine, "in/model", context=work.context, llama_cpp=llama_cpp)
    if work.prompt + work.new > model.context:
        raise SystemExit(f"error: {work.prompt} + {work.new} tokens are asked for, and the model sees {model.context:,}")
    ids = question(model.ids, model.render, prompt, work.prompt)
    told = []
    for at in range(work.runs + 1):
        told.append(answered(model, ids, work.new))
        telling.event(step=at + 1, of=work.runs + 1)
    model.close()
    peak = telling.peak_memory("cpu")
    print(f"{before / 1e6:,.0f} MB before the model was there, {peak / 1e6:,.0f} MB at the peak")
    return told[1:], peak  # the first one warms up


def answered(model, ids, new):
    """One answer of so many tokens, whatever they say."""
    began = time.perf_counter()
    logits, made, first = model.read(ids), 0, None
    while True:
        token = choose(logits, {}, (), None)
        made += 1
        now = time.perf_counter()
        first = first if first is not None else now - began
        if made == new:
            return Run(first, now - began, made, now)
        logits = model.step(token)


def served(work, prompt, clients, llama_cpp):
    """Several clients of llama-server at once, each with a slot of its own."""
    import llama_home
    from llama_server import serving

    program = llama_home.build(llama_cpp, print) / "bin/llama-server"
    options = ("--ctx-size", str(work.context * clients), "--parallel", str(clients), "--threads", str(threads()))
    with serving(program, gguf_in("in/model"), *options) as ask:

        def render(messages, arguments):
            body = {"messages": messages, **({"chat_template_kwargs": arguments} if arguments else {})}
            return ask("/apply-template", body)["prompt"]

        def ids(text):
            return ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]

        asked = question(ids, render, prompt, work.prompt)
        body = {"prompt": asked, "n_predict": work.new, "temperature": 0, "ignore_eos": True, "cache_prompt": False}
        _ask(ask, body)
        told, errors = [], []

        def client():
            try:
                told.extend([_ask(ask, body) for _ in range(work.runs)])
            except OSError as error:
                errors.append(error)

        people = [threading.Thread(target=client) for _ in range(clients)]
        for each in people:
            each.start()
        for each in people:
            each.join()
        if errors:
            raise SystemExit(f"error: llama-server: {errors[0]}")
        return told, _server_memory()


def _ask(ask, body):
    began = time.perf_counter()
    timings = ask("/completion", body)["timings"]
    now = time.perf_counter()
    whole = now - began
    first = whole - (timings["predicted_ms"] - timings["predicted_per_token_ms"]) / 1e3
    return Run(max(first, 0.0), whole, timings["predicted_n"], now)


def _server_memory():
    """Of the child that serves, at its peak; none where the system does not tell."""
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            told = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(told["PPid"]) == os.getpid() and "VmHWM" in told:
            return int(told["VmHWM"].split()[0]) * 1024
    return None


def percentile(values, share):
    """The value that so large a share of all stays under or at."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 100) * len(ordered) // 100) - 1))]


def measures(runs, memory, prompt):
    """Medians and tails; the rate of all clients together, between the first question and the last answer."""
    began = min(each.ended - each.whole for each in runs)
    span = max(each.ended for each in runs) - began
    alone_ = abs(sum(each.whole for each in runs) - span) < 0.05 * span
    made = [(each.tokens - 1) / (each.whole - each.first) for each in runs if each.tokens > 1 and each.whole > each.first]
    rate = statistics.median(made) if alone_ and made else sum(each.tokens for each in runs) / span
    told = {
        "first_token": statistics.median(each.first for each in runs),
        "answer_p50": percentile([each.whole for each in runs], 0.5),
        "answer_p95": percentile([each.whole for each in runs], 0.95),
        "tokens_per_second": rate,
        "prompt_per_second": prompt / statistics.median(each.first for each in runs),
    }
    return {**told, **({"memory_peak": memory} if memory is not None else {})}


def machine():
    """What the numbers were taken on."""
    return f"{threads()} threads of {platform.machine()}"


def write(runs, path="out/rows.jsonl"):
    """One line a run."""
    lines = [
        json.dumps({"id": str(at), "first": each.first, "seconds": each.whole, "tokens": each.tokens})
        for at, each in enumerate(runs)
    ]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
