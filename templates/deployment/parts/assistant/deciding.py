"""What a model said -> what would be done about it: run, ask a person first, or refuse; nothing is run here.

An answer is text, or calls and nothing else. A call inside text, a broken call, a result that the model made up: then no call of
that answer runs, for nobody can tell what was meant.
"""

import re
from dataclasses import dataclass, field

from calling import OPENS, Broken, Call, Said, pieces

from .values import Wrong, value_of

RUN, ASK, REFUSE = "run", "ask", "refuse"
MOST_CALLS = 16  # of one answer


@dataclass(frozen=True)
class Decision:
    """One call, and what becomes of it."""

    verdict: str
    tool: str
    arguments: dict = field(default_factory=dict)
    why: str = ""
    text: str = ""  # as the model wrote it


@dataclass(frozen=True)
class Answer:
    """What the model said: text for the person, or decisions about calls."""

    text: str
    decisions: tuple = ()

    @property
    def fine(self):
        """Whether none of its calls is refused."""
        return all(each.verdict != REFUSE for each in self.decisions)


def would_run(output, tools, *, today=None):
    """The decisions about all that looks like a call in an output, in its order; empty when it is text."""
    return list(read(output, tools, today=today).decisions)


def read(output, tools, *, today=None):
    """The answer in an output of the model."""
    found = pieces(output)
    if not any(isinstance(each, Call | Broken) for each in found):
        return Answer(output.strip())
    said = "".join(each.text for each in found if isinstance(each, Said)).strip()
    broken = [each for each in found if isinstance(each, Broken)]
    calls = [each for each in found if not isinstance(each, Said)]
    if len(calls) > MOST_CALLS:
        why = f"the answer has {len(calls):,} calls, and {MOST_CALLS} are the most"
        return Answer(said, (Decision(REFUSE, "", why=why, text=output),))
    if broken:
        why = "another call of this answer is broken"
    elif said:
        why = "it stands inside text: an answer is text, or calls and nothing else"
    else:
        return Answer("", tuple(_decision(each, tools, today) for each in calls))
    return Answer(said, tuple(_refused(each, why) for each in calls))


def _refused(piece, why):
    if isinstance(piece, Broken):
        named = re.match(r"[a-z][a-z0-9_]{0,63}", piece.text[len(OPENS) :]) if piece.text.startswith(OPENS) else None
        return Decision(REFUSE, named[0] if named else "", why=piece.why, text=piece.text)
    return Decision(REFUSE, piece.name, dict(piece.arguments), why, piece.text)


def _decision(call, tools, today):
    tool = tools.get(call.name)
    if tool is None:
        return _refused(call, "there is no such tool")
    known = {each.name: each for each in tool.arguments}
    for name in call.arguments:
        if name not in known:
            return _refused(call, f"it has no argument `{name}`")
    values = {}
    for name, argument in known.items():
        if name not in call.arguments:
            if not argument.optional:
                return _refused(call, f"its argument `{name}` is missing")
            continue
        try:
            values[name] = value_of(argument, call.arguments[name], today=today)
        except Wrong as wrong:
            return _refused(call, f"`{name}`: {wrong}")
    return Decision(ASK if tool.asks else RUN, tool.name, values, text=call.text)
