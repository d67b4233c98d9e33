"""The same questions to the started bundle and to the model in this process: token for token the same answers, or the place."""

import http.client
import json
import sys
import time
from pathlib import Path

import sampler
import starting
from answering import opened
from asked import Asked, chat, rows_of
from asking import question
from sayings import SENTENCES

EACH = 4  # questions of each persona
MOST = 48  # tokens of an answer
TIE = 0.02  # of logits: closer ones are put in order by how sums were rounded, which no two engines do alike


def questions(folder, bundle):
    """What is asked: persona, question; those of the dataset, or sentences of our own."""
    said = []
    for row in rows_of(folder) if folder is not None else ():
        found = question(row)
        if found is not None and isinstance(found[0], list) and [each["role"] for each in found[0][-1:]] == ["user"]:
            said.append(found[0][-1]["content"])
        if len(said) == EACH * 4:
            break
    said = said or list(SENTENCES[:EACH])
    names = list(bundle["prompts"]) or [bundle["name"]]
    return [(name, said[(at + turn * len(names)) % len(said)]) for at, name in enumerate(names) for turn in range(EACH)]


def answers(folder, asked):
    """What the bundle says, started here and ended again, with the seconds until each answer began."""
    place = starting.laid(folder, Path("tmp/bundle").absolute())
    key = starting.ran(place, "gateway", "keys", "add", "proof").split()[-1]
    with starting.serving(place, "gateway", "--port", "0") as port:
        _until_ready(port)
        return [_streamed(port, _headers(key, at), name, said) for at, (name, said) in enumerate(asked)]


def _headers(key, at):
    """Who asks: somebody with a key, each time from another address, as many people would."""
    return {"Authorization": f"Bearer {key}", "X-Forwarded-For": f"192.0.2.{at % 254 + 1}"}


def _taken(port, headers, body):
    """The answer, and when it was asked for; where the bundle has a limit, after the time that it says."""
    until = time.monotonic() + starting.PATIENCE
    while True:
        began = time.monotonic()
        answer = _sent(port, "POST", "/v1/chat/completions", body, headers)
        if answer.status == 200:
            return answer, began
        said = answer.read().decode(errors="replace")[:1000]
        if answer.status != 429 or time.monotonic() > until:
            sys.exit(f"error: the bundle answered {answer.status}: {said}")
        time.sleep(float(answer.headers.get("Retry-After", 1)))


def _until_ready(port):
    until = time.monotonic() + starting.PATIENCE
    while time.monotonic() < until:
        try:
            answer = _sent(port, "GET", "/ready")
            status = answer.status
        except OSError:
            status = 0
        if status == 200:
            return
        time.sleep(0.2)
    sys.exit("error: the bundle was not ready in time")


def _sent(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)  # never through a proxy
    told = {"Content-Type": "application/json", **(headers or {})}
    connection.request(method, path, json.dumps(body) if body is not None else None, told)
    return connection.getresponse()


def _streamed(port, headers, name, said):
    body = {"model": name, "messages": [{"role": "user", "content": said}], "stream": True}
    body |= {"temperature": 0, "max_tokens": MOST}
    (answer, began), text, first = _taken(port, headers, body), "", None
    for line in answer:
        if line.startswith(b"data: {"):
            told = json.loads(line[6:])
            if "error" in told:
                sys.exit(f"error: the answer broke off: {told['error']}")
            delta = told["choices"][0]["delta"].get("content") if told["choices"] else None
            if delta:
                first = first or time.monotonic() - began
                text += delta
    return {"text": text, "first": first or time.monotonic() - began}


def compare(served, asked, bundle, model, *, context, llama_cpp):
    """Each answer beside the direct one, under the same persona."""
    engine = opened("llama.cpp", model, context=context, llama_cpp=llama_cpp)
    told = []
    for (name, said), answer in zip(asked, served, strict=True):
        persona = _persona(bundle, name)
        messages = chat(Asked("", [{"role": "user", "content": said}], "", {}, persona, name))
        ids = engine.ids(engine.render(messages, persona.get("arguments")))
        sampling = {**(persona.get("sampling") or {}), "temperature": 0, "max_tokens": MOST}
        direct = sampler.answer(engine, ids, sampling)
        row = {"persona": name, "question": said, "served": answer["text"], "direct": direct.text, "tokens": direct.tokens}
        row["same"] = answer["text"] == direct.text
        if not row["same"]:
            row["tie"] = is_tie(engine, ids, direct.text, answer["text"])
            print(f"{name}: {'a tie' if row['tie'] else 'not the same'}: {said!r}")
            print(f"  served {answer['text']!r}\n  direct {direct.text!r}")
        told.append(row)
    engine.close()
    return told


def _persona(bundle, name):
    if name not in bundle["prompts"]:
        return {}
    home = Path("in/subject", bundle["prompts"][name])
    told = json.loads((home / "prompt.json").read_text(encoding="utf-8"))
    if told.get("retrieval"):
        import retrieving  # where a persona looks something up

        told["index"] = retrieving.of_prompt(home)
    return told


def is_tie(engine, ids, direct, served):
    """Whether the first token that differs was as likely as the other one, as far as rounding lets anybody tell."""
    ours, theirs = engine.plain(direct), engine.plain(served)
    same = next((at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
    if same is None:
        return False
    table = engine.every([*ids, *ours[: same + 1]])[len(ids) - 1 + same]
    return bool(abs(float(table[ours[same]]) - float(table[theirs[same]])) < TIE)


def measures(served, compared):
    """The share of answers that are the same, ties among them, and the seconds until the middle one began."""
    same = sum(each["same"] or each.get("tie") for each in compared) / len(compared)
    ties = sum(bool(each.get("tie")) for each in compared)
    told = {"same_answers": same, "ties": ties, "asked": len(compared)}
    firsts = sorted(each["first"] for each in served)
    return {**told, "first_token": firsts[len(firsts) // 2]} if firsts else told
