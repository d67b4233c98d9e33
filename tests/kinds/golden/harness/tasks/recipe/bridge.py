"""lm-evaluation-harness asks, an engine answers: likelihoods of continuations, of texts, and greedy answers."""

import json
from collections import Counter
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
        """How likely each whole text is; without a BOS nothing stands before its first token, which is not counted then."""
        told = []
        for each in requests:
            told.append(sum(self._window(*window) for window in windows(self.engine, self.engine.plain(each.args[0]))))
            self._tell()
        return told

    def _window(self, ids, counted):
        """How likely the last so many tokens are, each behind those before it."""
        table = chances(self.engine.every(ids[:-1])[-counted:])
        return float(np.sum(table[np.arange(counted), ids[-counted:]]))

    def generate_until(self, requests):
        """Greedy answers, up to a stop word."""
        told = []
        for each in requests:
            text, wanted = each.args
            most, stops = wanted.get("max_gen_toks") or 256, wanted.get("until") or []
            # a task may allow more than the model sees: half of that is left to the question
            room = max(self.engine.context - most, self.engine.context // 2)
            ids = [*self.engine.begin, *self.engine.plain(text)][-room:]
            told.append(answer(self.engine, ids, {"max_tokens": most, "stop": [stops] if isinstance(stops, str) else stops}).text)
            self._tell()
        return told

    def _tell(self):
        self.done += 1
        telling.event(step=self.done)


def windows(engine, ids):
    """A text as the harness reads it: (ids, how many of the last ones count); each token counts once, the last window is full."""
    size = engine.context
    for start in range(0, len(ids), size):
        end = min(start + size, len(ids))
        if start:
            yield ids[end - size - 1 : end], end - start
        elif engine.begin:
            yield [*engine.begin, *ids[:end]], end
        elif end > 1:
            yield ids[:end], end - 1


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
    for path, _, (numbers, what, rule) in _numbers(found):
        value, error = numbers[f"{what},{rule}"], numbers.get(f"{what}_stderr,{rule}")
        told[path] = float(value)
        if isinstance(error, float):
            told |= {f"{path}.low": value - 1.96 * error, f"{path}.high": value + 1.96 * error}
    return told


def less_is_better(found):
    """The measures of which the harness says so."""
    known = found.get("higher_is_better", {})
    return sorted(path for path, task, (_, what, _) in _numbers(found) if known.get(task, {}).get(what) is False)


def _numbers(found):
    """The name of each measure, its task, and where its number stands: one for each way that a task reads answers in."""
    for task, numbers in sorted(found["results"].items()):
        told = [name.partition(",")[::2] for name, value in numbers.items() if isinstance(value, int | float) and "," in name]
        told = [(what, rule) for what, rule in told if not what.endswith("_stderr")]
        ways = Counter(what for what, _ in told)
        for what, rule in told:
            yield f"{task}.{what}" if ways[what] == 1 else f"{task}.{what}.{rule}", task, (numbers, what, rule)


def write(found, path="out/rows.jsonl"):
    """One line a question."""
    lines = []
    for task, rows in sorted(found.get("samples", {}).items()):
        ways = {row.get("filter") for row in rows}
        for row in rows:
            name = f"{task}/{row['doc_id']}" if len(ways) == 1 else f"{task}/{row['doc_id']}/{row['filter']}"
            said = {"id": name, "question": str(row["arguments"][0][0]) if row.get("arguments") else ""}
            said |= {"expected": str(row.get("target", "")), "answer": str(row.get("filtered_resps", ""))}
            right = next((row[name] for name in ("acc", "exact_match") if name in row), None)
            lines.append(
                json.dumps({**said, "right": None if right is None else bool(right)}, ensure_ascii=False, sort_keys=True)
            )
    Path(path).write_text("".join(f"{each}\n" for each in lines), encoding="utf-8")
