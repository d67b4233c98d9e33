"""A request -> an answer: the model proposes, these rules decide, a person confirms, and every line of it is in the log.

A call runs only when the tool is listed, its arguments are of their types, the person said yes where the tool asks for it, and
the plan is not over. What is in notes, files and results is never read as a call: only what the model says is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from . import fitting, reasons, running
from .deciding import ASK, REFUSE, read
from .safe import harmless
from .toolbox import told

RESULT = re.compile(r"<\|?\s*/?\s*(result|tool_response|tool_result|im_start|im_end)\b", re.IGNORECASE)
STEPS = 4
REMEMBERED = 20  # turns
LOGGED = 2_000  # characters of a text in the log


@dataclass(frozen=True)
class Engine:
    """What answers: messages -> text; how many tokens messages are; how many there may be."""

    say: Callable
    count: Callable
    context: int
    borders: tuple = ()  # texts of the model's own special tokens


@dataclass(frozen=True)
class Done:
    """One call, and what became of it: ran, refused, declined, skipped."""

    what: str
    tool: str
    arguments: dict
    text: str = ""
    why: str = ""


@dataclass
class Reply:
    """What the person is told."""

    text: str
    done: list = field(default_factory=list)
    notices: list = field(default_factory=list)  # refusals and cuts, in the assistant's own words


def nobody(_tool, _arguments):
    """Who confirms where nobody is: never."""
    return False


class Assistant:
    """One conversation."""

    def __init__(self, engine, tools, desk, log, persona, *, confirm=nobody, steps=STEPS, name="assistant"):  # noqa: PLR0913  # what it stands on, once
        self.engine, self.tools, self.desk, self.log, self.persona = engine, dict(tools), desk, log, persona
        self.confirm, self.steps, self.name, self.words = confirm, steps, name, desk.words
        self.past = []

    def forget(self):
        """The conversation so far is gone from what the model sees; the log stays."""
        self.past = []

    def ask(self, question):
        """The answer to one request, with all that was done for it."""
        self.log("asked", text=question[:LOGGED])
        reply, turn = Reply(""), [{"role": "user", "content": harmless(question, self.engine.borders)}]
        passages = [each.text for each in self.persona.index.find(question)] if self.persona.index is not None else []
        tools, seen = told(self.tools), set()
        for _ in range(self.steps + 2):  # each answer may act, or be put right; then there is a last one
            fitted = fitting.fit(self.engine, self.persona, self.past, turn, passages=passages, tools=tools)
            self._notice(reply, fitting.says(self.words, fitted.left_out, self.engine.context))
            if not fitted.fits:
                reply.text = self.words["too_long"].format(needed=fitted.needed, context=self.engine.context)
                self.log("too long", tokens=fitted.needed)
                return reply
            said = self.engine.say(fitted.messages)
            answer = self._read(said)
            if not answer.decisions:
                return self._answered(reply, turn, answer.text)
            outcomes = self._all(answer.decisions, reply, seen)
            turn.append({"role": "assistant", "content": said[:LOGGED]})
            turn += [
                {"role": "tool", "content": harmless(each, self.engine.borders) or self.words["nothing"]} for each in outcomes
            ]
            if any(each.why == "steps" for each in reply.done):
                break
        return self._stopped(reply, turn)

    # --- what the model said ---

    def _read(self, said):
        """Its answer; a result that it made up ends it, and nothing behind that is read."""
        found = RESULT.search(said)
        if found is not None:
            self.log("made up", text=said[found.start() :][:LOGGED])
            said = said[: found.start()]
        return read(said, self.tools, today=self._today())

    def _today(self):
        return self.desk.clock().date()

    def _answered(self, reply, turn, text):
        results = [each.text for each in reply.done if each.what == "ran"]
        reply.text = text or ("\n".join(results) if results else self.words["nothing_said"])
        self.log("answered", text=reply.text[:LOGGED])
        self.past = [*self.past, [*turn, {"role": "assistant", "content": reply.text}]][-REMEMBERED:]
        return reply

    def _stopped(self, reply, turn):
        results = [each.text for each in reply.done if each.what == "ran"]
        reply.text = "\n".join([*results, self.words["stopped"].format(steps=self.steps)])
        self.log("stopped", steps=self.steps)
        self.past = [*self.past, [turn[0], {"role": "assistant", "content": reply.text}]][-REMEMBERED:]
        return reply

    def _notice(self, reply, text):
        if text and text not in reply.notices:
            reply.notices.append(text)
            self.log("cut", text=text)

    # --- what is done ---

    def _all(self, decisions, reply, seen):
        """What each call of one answer gave back; once one does not succeed, those behind it do not run."""
        outcomes, fine = [], True
        for each in decisions:
            if not fine and each.verdict != REFUSE:
                outcomes.append(self._skipped(each, reply))
                continue
            outcome = self._one(each, reply, seen)
            fine = fine and outcome.fine
            outcomes.append(outcome.text)
        return outcomes

    def _one(self, decision, reply, seen):
        key = (decision.tool, tuple(sorted((name, str(value)) for name, value in decision.arguments.items())))
        if decision.verdict == REFUSE:
            return self._refused(decision, decision.why, reply)
        if sum(each.what in ("ran", "declined") for each in reply.done) >= self.steps:
            return self._refused(decision, self.words["too_many"].format(steps=self.steps), reply, short="steps")
        if key in seen:
            return self._refused(decision, self.words["again"], reply, short="again")
        seen.add(key)  # also when it is declined: nobody is asked the same thing until he gives in
        tool = self.tools[decision.tool]  # only what is listed has a decision to run
        if (decision.verdict == ASK or tool.asks) and not self._confirmed(tool, decision, reply):
            return running.Outcome("declined", self.words["declined"])
        self.log("runs", tool=tool.name, arguments=decision.arguments)
        outcome = running.run(self.desk, tool, decision.arguments)
        self.log("ended", tool=tool.name, status=outcome.status, text=outcome.text[:LOGGED], why=outcome.why[:LOGGED])
        reply.done.append(Done("ran", tool.name, decision.arguments, outcome.text, outcome.why))
        if not outcome.fine:
            why = reasons.told(outcome.why, self.words["language"])
            reply.notices.append(self.words["ran"].format(tool=tool.name, result=f"{outcome.text} ({why})"))
        return outcome

    def _confirmed(self, tool, decision, reply):
        self.log("confirm", tool=tool.name, arguments=decision.arguments)
        yes = self.confirm(tool, dict(decision.arguments)) is True
        self.log("confirmed" if yes else "declined", tool=tool.name, arguments=decision.arguments)
        if not yes:
            reply.done.append(Done("declined", tool.name, decision.arguments))
        return yes

    def _refused(self, decision, why, reply, short=""):
        what = decision.tool or decision.text[:40]
        self.log("refused", tool=decision.tool, arguments=decision.arguments, why=why, text=decision.text[:LOGGED])
        reply.done.append(Done("refused", decision.tool, decision.arguments, why=short or why))
        shown = reasons.told(why, self.words["language"])
        reply.notices.append(self.words["refused"].format(what=what, why=shown))
        return running.Outcome("refused", f"{self.words['declined']} : {shown}"[:200], why)

    def _skipped(self, decision, reply):
        self.log("skipped", tool=decision.tool, arguments=decision.arguments, text=decision.text[:LOGGED])
        reply.done.append(Done("skipped", decision.tool, decision.arguments))
        reply.notices.append(self.words["not_run"].format(what=decision.tool))
        return self.words["failed"]
