"""An assistant's bundle, looked at and asked as a person would: what its model wrote first is what the model writes directly."""

import json
import sys
from pathlib import Path

import sampler
import serving_it
import starting
from answering import opened

EACH = 4  # questions
# run in the bundle's folder, with the bundle's own modules: what the model was handed, and what it wrote
RECORDED = """
import json, sys
from assistant.__main__ import arguments, assembled

class Heard:
    def __init__(self, engine):
        self.engine, self.told = engine, []
    def __getattr__(self, name):
        return getattr(self.engine, name)
    def say(self, messages):
        text = self.engine.say(messages)
        self.told.append({"messages": [dict(each) for each in messages], "text": text})
        return text

home, asked = sys.argv[1], json.loads(sys.argv[2])
told = []
for question in asked:
    assistant, _ = assembled(arguments(["--home", home]))
    assistant.engine = Heard(assistant.engine)
    reply = assistant.ask(question)
    told.append({**assistant.engine.told[0], "question": question, "reply": reply.text})
print("RECORDED " + json.dumps({"rows": told, "sampling": assistant.persona.sampling, "arguments": assistant.persona.arguments}))
"""


def answers(folder, model, questions, *, context, llama_cpp):
    """Each first answer beside the direct one."""
    place = starting.laid(folder, Path("tmp/bundle").absolute())
    home = place.parent / "home"
    starting.ran(place, "assistant", "--check", "--home", str(home))
    starting.ran(place, "assistant", "--ask", questions[0], "--home", str(home), refused=True)
    script = place.parent / "recorded.py"
    script.write_text(RECORDED, encoding="utf-8")
    said = starting.ran_script(place, script, str(home), json.dumps(questions))
    told = json.loads(next(line for line in said.splitlines() if line.startswith("RECORDED ")).removeprefix("RECORDED "))
    engine = opened("llama.cpp", model, context=context, llama_cpp=llama_cpp)
    rows = []
    for each in told["rows"]:
        ids = engine.ids(engine.render(each["messages"], told["arguments"]))
        direct = sampler.answer(engine, ids, told["sampling"])
        row = {"question": each["question"], "served": each["text"], "direct": direct.text, "tokens": direct.tokens}
        row["same"] = each["text"] == direct.text
        if not row["same"]:
            row["tie"] = serving_it.is_tie(engine, ids, direct.text, each["text"])
            print(f"not the same: {each['question']!r}\n  served {each['text']!r}\n  direct {direct.text!r}", file=sys.stderr)
        rows.append(row)
    engine.close()
    return rows
