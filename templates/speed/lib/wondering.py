"""Questions of people, timed as an exam asks them: with all that stands before each, and what is looked up for it."""

import time
from dataclasses import replace

import telling
from answering import opened
from asked import chat
from timing import answered


def evenly(asked, runs):
    """So many of the questions, from the first to the last."""
    return [asked[at * len(asked) // runs] for at in range(runs)]


def alone(asked, work, engine, llama_cpp):
    """Every run, the memory of the process at its peak, and how many tokens a question has on average."""
    model = opened(engine, "in/model", context=work.context, llama_cpp=llama_cpp)
    told, lengths = [], []
    some = evenly(asked, work.runs)
    for at, each in enumerate([some[0], *some]):  # the first one warms up
        began = time.perf_counter()
        ids = model.ids(model.render(chat(each), each.prompt.get("arguments")))
        if len(ids) + work.new > model.context:
            says = f"question {each.id} has {len(ids):,} tokens, and {work.new} are to be written"
            raise SystemExit(f"error: {says}: the engine holds {model.context:,}, raise `context`")
        before = time.perf_counter() - began
        run = answered(model, ids, work.new)
        told.append(replace(run, first=run.first + before, whole=run.whole + before))
        lengths.append(len(ids))
        telling.event(step=at + 1, of=work.runs + 1)
    model.close()
    return told[1:], telling.peak_memory("cpu"), sum(lengths[1:]) / work.runs
