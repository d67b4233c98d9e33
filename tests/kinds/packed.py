"""A bundle packed by hand: the rendered files of a deployment over inputs that a test made, run as anybody would run them."""

import json
import shutil
import subprocess

from standing import Failed, run

SPEC = """
tokenizers:
  my-pieces: {{corpus: data/words.txt, vocab: 400, chat_template: {template}}}
models:
  my-tiny:
    scratch: {{family: llama, layers: 2, heads: 2, width: 256, mlp: 256, context: 256}}
    tokenizer: my-pieces
    licence: mit
datasets:
  my-text: {{from: data/words.txt, format: text}}
prompts:
  one: {{system: "Say a number, and only that.", sampling: {{temperature: 0.4, top_p: 90%, max_tokens: 12, stop: ["\\n"]}}}}
  two: {{system: Say a word., few_shot: [{{user: a word?, assistant: banana}}]}}
quants:
  small: {{model: my-tiny, type: Q8_0}}
evals:
  my-eval: {{model: small, tasks: {{told: {{perplexity: my-text}}}}}}
deployments:
  my-bundle: {{model: {model}, target: {target}, context: {context}{more}}}
"""
REPORT = {
    "rehearsal": True,
    "tasks": {"told": {"measures": {"perplexity": 4.5, "perplexity.low": 4.0}, "intervals": {"perplexity": [4.0, 5.0]}}},
}


def spec(target="server", more=", prompts: [one, two]", model="small", template="chatml", context=128):
    """The specs of a project with one deployment."""
    return SPEC.format(target=target, more=more, model=model, template=template, context=context)


def laid(workshop, folder, node="my-bundle", *, model=None):
    """The step folder of a deployment, its inputs made by hand: a model of a few bytes, its prompts as they are rendered."""
    front = workshop.front()
    files = front.settlement.rendered(front.graph.vertices[node]).files()
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for name in ("out", "tmp", "in/model"):
        (folder / name).mkdir(parents=True)
    for name, content in (model or {"model.gguf": b"GGUF and so on", "imatrix.json": b"{}"}).items():
        (folder / "in/model" / name).write_bytes(content)
    spec = front.graph.vertices[node].spec
    for at, each in enumerate(spec.prompts):
        place = folder / "in/prompts" / str(at)
        _prompt(front, each.node.name, folder.parent / f"prompt-{folder.name}-{at}", place)
    for at, _ in enumerate(spec.results):
        (folder / f"in/results/{at}").mkdir(parents=True)
        (folder / f"in/results/{at}/report.json").write_text(json.dumps(REPORT))
    return folder


def _prompt(front, name, folder, place):
    for path, text in front.settlement.rendered(front.graph.vertices[name]).files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "out").mkdir()
    done = subprocess.run(["bash", "run.sh"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "out", place)


def packed(workshop, folder, node="my-bundle", **more):
    """What comes out, and what was measured."""
    _, measures = run(laid(workshop, folder, node, **more))
    return folder / "out", measures


def refused(workshop, folder, **more):
    """The last words of a packing that fails."""
    try:
        run(laid(workshop, folder, **more))
    except Failed as error:
        return str(error)
    raise AssertionError("it was packed")
