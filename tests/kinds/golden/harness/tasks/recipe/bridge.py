"""lm-evaluation-harness asks, an engine answers: likelihoods of continuations, of texts, and greedy answers."""

import json
from pathlib import Path

import numpy as np
import telling
from divergence import chances
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from sampler import answer


class Engine(LM):
    """A model as the harness wants it."""

    def __init__(self, engine):
        super().__init__()
        self.engine = engine
        self.done = 0

    def _ids(self, context, continuation):
        """Ids of both, the continuation's own behind; a space between belongs to the continuation."""
        gap = len(context) - len(context.rstrip())
        if gap:
            context, continuation = context[:-gap], context[-gap:] + continuation
        before = [*self.engine.begin, *self.engine.plain(context)]
        whole = [*self.engine.begin, *self.engine.plain(context + continuation)]
        if whole[: len(before)] != before:
            whole = [*before, *self.engine.plain(continuation)]
        return before or whole[:1], whole[len(before) :] if before else whole[1:]

    def loglikelihood(self, requests):
        """How likely each continuation is, and whether it is the greedy one."""
        told = []
        for each in requests:
            before, more = self._ids(*each.args)
            before = before[-(self.engine.context - len(more)) :]
            table = chances(self.engine.every([*before, *more])[len(before) - 1 : -1])
            told.append((float(np.sum(table[np.arange(len(more)), more])), bool((np.argmax(table, axis=-1) == more).all())))
            self._tell()
        return told

    def loglikelihood_rolling(self, requests):
        """How likely each whole text is, in windows that stand side by side."""
        told = []
        for each in requests:
            ids = self.engine.plain(each.args[0])
            size, total = self.engine.context - 1, 0.0
            for at in range(0, len(ids), size):
                part = ids[at : at + size]
                first = self.engine.begin or ids[max(0, at - 1) : max(0, at - 1) + 1]
                table = chances(self.engine.every([*first, *part])[:-1])
                total += float(np.sum(table[np.arange(len(part)), part]))
            told.append(total)
            self._tell()
        return told

    def generate_until(self, requests):
        """Greedy answers, up to a stop word."""
        told = []
        for each in requests:
            text, wanted = each.args
            most = wanted.get("max_gen_toks") or 256
            ids = [*self.engine.begin, *self.engine.plain(text)][-(self.engine.context - most) :]
            told.append(answer(self.engine, ids, {"max_tokens": most, "stop": list(wanted.get("until") or [])}).text)
            self._tell()
        return told

    def _tell(self):
        self.done += 1
        telling.event(step=self.done)


def evaluated(engine, names, folder, limit):
    """What the harness found."""
    manager = TaskManager(include_path=folder, include_defaults=folder is None)
    missing = [name for name in names if name not in manager.all_tasks]
    if missing:
        known = ", ".join(sorted(manager.all_tasks)[:10])
        raise SystemExit(
            f"error: the harness has no task `{missing[0]}`; {'in the folder are' if folder else 'there are'} {known}"
        )
    return simple_evaluate(
        Engine(engine),
        tasks=list(names),
        task_manager=manager,
        limit=limit,
        bootstrap_iters=100,
        random_seed=0,
        verbosity="ERROR",
    )


def measures(found):
    """`arc_easy.acc`, with the interval that its standard error gives."""
    told = {}
    for task, numbers in sorted(found["results"].items()):
        for name, value in numbers.items():
            what, _, rule = name.partition(",")
            if not isinstance(value, int | float) or what.endswith("_stderr") or what in ("sample_len", "sample_count"):
                continue
            path = f"{task}.{what}"
            told[path] = float(value)
            error = numbers.get(f"{what}_stderr,{rule}")
            if isinstance(error, float):
                told |= {f"{path}.low": value - 1.96 * error, f"{path}.high": value + 1.96 * error}
    return told


def write(found, path="out/rows.jsonl"):
    """One line a question."""
    lines = []
    for task, rows in sorted(found.get("samples", {}).items()):
        for row in rows:
            said = {"id": f"{task}/{row['doc_id']}", "question": str(row["arguments"][0][0]) if row.get("arguments") else ""}
            said |= {"expected": str(row.get("target", "")), "answer": str(row.get("filtered_resps", ""))}
            right = next((row[name] for name in ("acc", "exact_match") if name in row), None)
            lines.append(
                json.dumps({**said, "right": None if right is None else bool(right)}, ensure_ascii=False, sort_keys=True)
            )
    Path(path).write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
