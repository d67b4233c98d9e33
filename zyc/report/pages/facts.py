"""What the page of a graph says, as plain values: read from a plan, its traces and small files of kept results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from zyc import __version__, again, kinds
from zyc.forms import asking
from zyc.forms.ledger import FORMS, Hop, Reading
from zyc.front import Front
from zyc.gates import Outlook, Verdict, show, show_beside
from zyc.graph import Node
from zyc.keeping.traces import Trace
from zyc.place.project import slug
from zyc.planning.plan import State
from zyc.quantity import in_bytes, in_number, in_time
from zyc.report import devices
from zyc.report import ledger as told_ledger
from zyc.report.console import moment
from zyc.report.pages import drawing
from zyc.report.pages.drawing import Card
from zyc.report.pages.sections import Facts, conversation, data_card, exam, json_lines, line
from zyc.report.rows import briefly, elsewhere
from zyc.types import Artifact, Dataset, Gguf, Report

_LARGEST = 30_000_000  # bytes of a file of rows


class Page:
    """All that the page of a plan says."""

    def __init__(self, front: Front, pages: Mapping[str, str], select: tuple[str, ...]) -> None:
        self.front, self.plan, self.pages, self.select = front, front.plan, pages, select
        self.reading = Reading(front)
        self.traces = {
            name: trace
            for name, each in front.plan.decisions.items()
            if each.state is State.KEEP and (trace := self.reading.trace(each)) is not None
        }
        self.visible = {each.name: each for each in self.plan.graph.nodes() if _is_shown(each)}
        self.chains = [self.reading.chain(name) for name in self._ends()]

    def facts(self) -> Facts:
        """Everything, by section."""
        return {
            "twin": self.front.call.twin,
            "version": __version__,
            "what": self.what(),
            "graph": self.graph(),
            "ledgers": [self.ledger(hops) for hops in self.chains if len(hops) > 1],
            "predicted": list(self.predicted()),
            "trainings": list(self.trainings()),
            "exams": list(self.exams()),
            "data": list(self.data()),
            "again": self.again(),
        }

    # --- what it is ---

    def what(self) -> Facts:
        """Its name, what it is for, and whether it may go."""
        files = sorted({node.span.file for node in self.visible.values()})
        headers = [self.plan.graph.headers[file] for file in files if file in self.plan.graph.headers]
        about = [each.about for each in headers if each.about]
        kept = sum(each.state is State.KEEP for each in self.plan.decisions.values())
        started = max((trace.started for trace in self.traces.values()), default="")
        names = [name for name in self.select if name in self.visible]
        return {
            "title": names[0] if len(names) == 1 else ", ".join(file.rsplit("/", 1)[-1].rsplit(".", 1)[0] for file in files),
            "about": about,
            "files": files,
            "use": sorted({each.use for each in headers if each.use}),
            "kept": kept,
            "nodes": len(self.plan.decisions),
            "when": moment(started),
            "took": in_time(sum(trace.seconds for trace in self.traces.values())),
            "verdict": self.verdict(kept),
            "gates": list(self.gates()),
        }

    def verdict(self, kept: int) -> Facts:
        """Ready, blocked by a gate, or not whole."""
        bad = [(name, each) for name, node in self.plan.decisions.items() for each in node.gates if each.bad]
        if bad:
            name, gate = bad[0]
            more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
            return {"state": "blocked", "says": "blocked", "because": f"{name}: {gate.gate} does not hold{more}; {gate.text}"}
        open_ = len(self.plan.decisions) - kept
        if open_:
            words = "is" if open_ == 1 else "are"
            return {
                "state": "open",
                "says": "not whole yet",
                "because": f"{open_} of {len(self.plan.decisions)} nodes {words} not kept",
            }
        if self.front.call.twin:
            return {
                "state": "ready",
                "says": "the rehearsal is whole",
                "because": "every gate holds; it is a tiny model, not the real one",
            }
        return {"state": "ready", "says": "ready to ship", "because": "everything is kept, and every gate holds"}

    def gates(self) -> Iterator[Facts]:
        """Every gate with its number."""
        marks = {Verdict.HOLDS: "holds", Verdict.FAILS: "fails", Outlook.CANNOT: "fails", Outlook.COULD: "open"}
        for name, decision in self.plan.decisions.items():
            for each in decision.gates:
                trace = self.traces.get(name)
                value = trace.measures.get(each.gate.measure) if trace is not None else None
                mark = marks.get(each.verdict, "open")
                number = show_beside(value, each.gate) if value is not None else briefly(each)
                yield {"node": name, "gate": str(each.gate), "mark": mark, "value": number, "proof": name.endswith(".proof")}

    # --- 1. the graph ---

    def graph(self) -> Facts:
        """Cards and edges, drawn."""
        cards = {name: self.card(node) for name, node in self.visible.items()}
        lost = {}
        for hops in self.chains:
            for before, hop in pairwise(hops):
                if "kl" in hop.measures and {before.node, hop.node} <= cards.keys() and before.node != hop.node:
                    lost[before.node, hop.node] = hop.measures["kl"]
        rows = [{"name": each.name, "kind": each.kind, "state": each.state, "lines": each.lines} for each in cards.values()]
        return {"svg": drawing.graph(cards, lost), "cards": rows, "measured": bool(lost)}

    def card(self, node: Node) -> Card:
        """A node with what is most worth knowing of it."""
        decision, trace = self.plan.decisions[node.name], self.traces.get(node.name)
        proof = self.plan.decisions.get(f"{node.name}.proof")
        mark = ""
        if proof is not None:
            mark = "fails" if any(each.bad for each in proof.gates) else "holds" if proof.state is State.KEEP else "open"
        return Card(node.name, self._kind(node), decision.state.value, tuple(_figures(trace)), mark, tuple(self._inputs(node)))

    def _kind(self, node: Node) -> str:
        facts = self.reading.facts.get(node.name)
        return f"{node.kind} {getattr(facts, 'type', None) or ''}".strip() if isinstance(facts, Gguf) else node.kind

    def _inputs(self, node: Node) -> Iterator[str]:
        """The nodes of the picture that it stands on; those that it is made of are passed over."""
        seen: dict[str, None] = {}
        waiting = [edge.source for edge in node.edges if not edge.order]
        while waiting:
            name = waiting.pop()
            if name in self.visible:
                seen[name] = None
            elif name in self.plan.graph.vertices:
                waiting += [edge.source for edge in self.plan.graph.vertices[name].edges if not edge.order]
        seen.pop(node.name, None)
        order = list(self.visible)
        return iter(sorted(seen, key=order.index))

    def _ends(self) -> list[str]:
        """The last forms of each model: what no other form is made of."""
        forms = [name for name in self.visible if FORMS.get(type(self.reading.facts.get(name, Artifact())))]
        behind = {name for form in forms for name in list(self.reading.lineage(form))[1:]}
        return [name for name in forms if name not in behind]

    # --- 2. the ledger ---

    def ledger(self, hops: Sequence[Hop]) -> Facts:
        """The hops of one model, and what they were asked."""
        said = asking.differences(self.front, hops)
        rows = [{"cells": told_ledger.row(hop, said), "holds": hop.holds, "kl": _share(hop)} for hop in hops]
        found = [conversation(asked, at) for asked in asking.kept(self.front, hops) for at in range(len(asked.questions))]
        command = again.line(self.front.call, "ask", hops[-1].node, "--along")
        return {"node": hops[-1].node, "rows": rows, "says": told_ledger.sentence(hops), "golden": found[:3], "command": command}

    # --- 3. predicted against measured ---

    def predicted(self) -> Iterator[Facts]:
        """Each node that was estimated, beside what it took."""
        for name, trace in self.traces.items():
            measured = {"seconds": trace.seconds, "memory": float(trace.peak_memory), "bytes": float(trace.bytes)}
            cells = []
            for what, words in (("seconds", in_time), ("memory", in_bytes), ("bytes", in_bytes)):
                before, after = trace.predicted.get(what), measured[what]
                ratio = after / before if before and after else None
                cells.append({"before": words(before) if before else "", "after": words(after) if after else "", "ratio": ratio})
            if any(each["ratio"] for each in cells):
                yield {"node": name, "cells": cells, "main": name in self.visible}

    # --- 4. training ---

    def trainings(self) -> Iterator[Facts]:
        """Each run that kept its history, or left a page."""
        for name, trace in self.traces.items():
            rows = list(self._lines(trace, "history.jsonl"))
            if not rows and name not in self.pages:
                continue
            loss, test = line(rows, "loss"), line(rows, "test_loss")
            answers = self._step_document(trace, "answers.json")
            told = answers if isinstance(answers, list) else []
            yield {
                "node": name,
                "page": f"{slug(name)}/index.html" if name in self.pages else "",
                "figures": list(_trained(trace)),
                "loss": drawing.chart({"loss": loss, "test loss": test}),
                "rate": drawing.chart({"learning rate": line(rows, "learning_rate")}, height=130, zero=True),
                "pace": drawing.chart({"tokens/s": line(rows, "tokens_per_second")}, height=130, zero=True),
                "answers": [
                    {part: str(each.get(part, "")) for part in ("prompt", "wanted", "before", "after")}
                    for each in told[:3]
                    if isinstance(each, dict)
                ],
            }

    def _step_files(self, trace: Trace, name: str) -> Iterator[bytes]:
        for key in (trace.key, trace.accepted):
            path = self.front.project.step(key) / name
            seen = self.front.world.stat(path) if key else None
            if seen is not None and seen.kind == "file" and seen.size <= _LARGEST:
                yield self.front.world.read(path)
                return

    def _step_document(self, trace: Trace, name: str) -> object:
        for text in self._step_files(trace, name):
            try:
                told: object = json.loads(text)
            except ValueError:
                return None
            return told
        return None

    def _lines(self, trace: Trace, name: str) -> Iterator[Mapping[str, Any]]:
        for text in self._step_files(trace, name):
            yield from json_lines(text)

    # --- 5. exams ---

    def exams(self) -> Iterator[Facts]:
        """Each task of each report, with its groups and every wrong answer."""
        world, store = self.front.world, self.reading.store
        for name in self.visible:
            decision = self.plan.decisions[name]
            if not isinstance(self.reading.facts.get(name), Report) or not decision.tree or not store.has(decision.tree):
                continue
            top = store.path(decision.tree)
            told = Reading.document_of(self.front, top / "report.json")
            if not isinstance(told, dict):
                continue
            tasks = told.get("tasks")
            single = {"": told} if not isinstance(tasks, dict) else tasks
            for task, found in single.items():
                path = top / "tasks" / task / "rows.jsonl" if task else top / "rows.jsonl"
                seen = world.stat(path, follow=True)
                rows = list(json_lines(world.read(path))) if seen is not None and seen.size <= _LARGEST else []
                if isinstance(found, dict):
                    yield exam(name, str(task), found, rows)

    # --- 6. data ---

    def data(self) -> Iterator[Facts]:
        """The card of each dataset, and how its samples are trained on."""
        trained = self._trained()
        for name in self.visible:
            decision = self.plan.decisions[name]
            if not isinstance(self.reading.facts.get(name), Dataset) or not decision.tree:
                continue
            card = Reading.document_of(self.front, self.reading.store.path(decision.tree) / "card.json")
            if isinstance(card, dict):
                yield data_card(name, card, trained.get(name, ""))

    def _trained(self) -> Mapping[str, str]:
        """What is learned of each dataset: `assistant`, `all`, ..."""
        told = {}
        for node in self.visible.values():
            spec = node.spec
            loss_on = getattr(spec, "loss_on", None) or getattr(getattr(spec, "train", None), "loss_on", None)
            for edge in node.edges:
                if isinstance(self.reading.facts.get(edge.source), Dataset) and _learns(node):
                    told[edge.source] = str(loss_on or "assistant")
        return told

    # --- 7. again ---

    def again(self) -> Facts:
        """How to have exactly this once more."""
        files = sorted({node.span.file for node in self.visible.values()})
        pins = sorted({*self.front.lock.pins.items()})
        known = self.plan.settlement.known.pins
        packages = sorted((name.removeprefix("package:"), pin) for name, pin in known.items() if name.startswith("package:"))
        licences = [
            {"node": name, "licence": str(licence)}
            for name in self.visible
            if (licence := getattr(self.reading.facts.get(name), "licence", None))
        ]
        keys = [
            {"node": name, "key": (self.plan.decisions[name].key or "")[:24], "tree": (self.plan.decisions[name].tree or "")[:24],
             "took": in_time(trace.seconds) if (trace := self.traces.get(name)) is not None else "",
             "where": _where(trace), "bytes": in_bytes(trace.bytes) if trace is not None else ""}
            for name in self.plan.decisions
        ]  # fmt: skip
        return {
            "commands": [f"zyc build {' '.join(self.select) or ' '.join(files)} --frozen{again.beside(self.front.call)}"],
            "pins": pins,
            "packages": packages,
            "licences": licences,
            "keys": keys,
            "money": [{"device": f"{words}"} for words in devices.summed(self.plan)],
            "hours": in_time(sum(trace.seconds for trace in self.traces.values())),
        }


_TRAINED = ("train.loss", "test.loss", "test.bits_per_byte", "reward.accuracy", "tokens_per_second", "mfu", "trained_share")


def _is_shown(node: Node) -> bool:
    """Proofs stand on the cards of their owners; what a node is made of, and personas, do not stand apart."""
    kind = kinds.load(node.kind)
    if node.name.endswith(".proof") or kind.quiet:
        return False
    return not node.owner or kind.coerces is not None


def _learns(node: Node) -> bool:
    return kinds.load(node.kind).section in ("finetunes", "pretrains", "alignments", "distillations")


def _trained(trace: Trace) -> Iterator[tuple[str, str]]:
    known = kinds.load(trace.kind).measures
    for name in _TRAINED:
        if name in trace.measures:
            yield name, show(trace.measures[name], known[name].dimension if name in known else "number")


def _figures(trace: Trace | None) -> Iterator[str]:
    if trace is None:
        return
    measures = trace.measures
    if "test.loss" in measures:
        yield f"test loss {in_number(measures['test.loss'])}"
    elif "rows.train" in measures or "rows" in measures:
        yield f"{measures.get('rows', measures.get('rows.train', 0)):,.0f} rows"
    else:
        best = next((name for name in measures if name.rsplit(".", 1)[-1] == "accuracy"), "")
        if best:
            yield f"{best} {100 * measures[best]:.3g} %"
    yield in_bytes(trace.bytes)


def _share(hop: Hop) -> float | None:
    kl = hop.measures.get("kl")
    return None if kl is None else drawing.thickness(kl) / drawing.THICK


def _where(trace: Trace | None) -> str:
    if trace is None:
        return ""
    return elsewhere(trace) if trace.adopted else trace.environment.get("accelerator") or trace.environment.get("host", "")
