"""What stands before an answer, made to fit the model's context: what is left out is said, and the question never is."""

from dataclasses import dataclass, field

from .safe import harmless

ROOM = 96  # tokens that are kept free for the answer, where a persona says nothing
SHORTEST = 40  # characters of a result that is shortened
MARK = "{tools}"  # where a persona's system text wants the list of tools


@dataclass
class Persona:
    """What stands before each question."""

    system: str = ""
    few_shot: list = field(default_factory=list)
    sampling: dict = field(default_factory=dict)
    index: object = None  # what the persona itself looks up
    arguments: dict = field(default_factory=dict)  # of the chat template

    @property
    def room(self):
        """Tokens that an answer may take."""
        return self.sampling.get("max_tokens") or ROOM


@dataclass
class Fitted:
    """The messages, and what of them is not there."""

    messages: list
    left_out: dict  # turns, passages, shots, results: how many
    needed: int  # tokens
    fits: bool


def fit(engine, persona, past, turn, *, passages=(), tools=""):
    """The messages of a chat; `past` are earlier turns, each a list of messages, `turn` is the one that is being answered."""
    past, shots, passages = list(past), list(persona.few_shot), list(passages)
    left = {"turns": 0, "passages": 0, "shots": 0, "results": 0}
    room = min(persona.room, engine.context // 2)
    turn = [dict(each) for each in turn]

    def made():
        system = persona.system.replace(MARK, tools)
        before = [{"role": "system", "content": system}] if system else []
        return [*before, *shots, *(each for old in past for each in old), *_with(turn, passages, engine.borders)]

    while (needed := engine.count(made())) + room > engine.context:
        if past:
            past.pop(0)
            left["turns"] += 1
        elif len(passages) > 1 or (passages and not shots):
            passages.pop()
            left["passages"] += 1
        elif shots:
            shots = shots[:-2]
            left["shots"] += 1
        elif passages:
            passages.pop()
            left["passages"] += 1
        elif _shortened(turn):
            left["results"] = 1
        else:
            return Fitted(made(), left, needed, fits=False)
    return Fitted(made(), left, needed, fits=True)


def _shortened(turn):
    """The longest result loses its second half; nothing when all of them are short."""
    results = [each for each in turn if each["role"] == "tool" and len(each["content"]) > SHORTEST]
    if not results:
        return False
    longest = max(results, key=lambda each: len(each["content"]))
    longest["content"] = longest["content"][: len(longest["content"]) // 2].rstrip(" .\n") + " [...]"
    return True


def _with(turn, passages, borders):
    """The passages before the question, as the exam puts them there."""
    if not passages:
        return turn
    told = "\n\n".join(f"[{number}] {harmless(text, borders).strip()}" for number, text in enumerate(passages, 1))
    first = {**turn[0], "content": f"<passages>\n{told}\n</passages>\n\n{turn[0]['content']}"}
    return [first, *turn[1:]]


def says(words, left, context):
    """What was left out, in a sentence; empty when nothing was."""
    parts = [words[name].format(n=count) for name, count in left.items() if count]
    return words["cut"].format(context=context, what=", ".join(parts)) if parts else ""
