"""A bundle with the real engines: packed, started, asked under each persona, and found to say what the model says directly."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from example.workshop import Workshop

SPEC = """
tokenizers:
  pieces: {corpus: data/words.txt, vocab: 400, chat_template: chatml}
models:
  tiny: {scratch: {family: llama, layers: 2, heads: 2, width: 256, mlp: 256, context: 256}, tokenizer: pieces, licence: mit}
prompts:
  one: {system: Say a number., sampling: {temperature: 0.7, max_tokens: 12}}
  two: {system: Say a word., few_shot: [{user: word?, assistant: banana}]}
deployments:
  served: {model: tiny, prompts: [one, two], target: server, context: 256, gates: [first_token < 60 s]}
"""


def zyc(root, *words):
    """A call, as a person makes it."""
    told = {**os.environ, "NO_COLOR": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-m", "zyc", *words], cwd=root, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project once its bundle is built and proven."""
    root = tmp_path_factory.mktemp("bundle")
    Workshop(root).spec(SPEC)
    zyc(root, "build", "served", "served.proof")
    return root


@pytest.mark.slow
def test_what_is_served_is_what_the_model_says(project):
    """Eight questions under two personas, through the gateway that the bundle holds: each answer is the direct one."""
    told = json.loads((project / "artifacts/nodes/served.proof/report.json").read_text())
    assert [each["persona"] for each in told["answers"]] == ["one"] * 4 + ["two"] * 4
    assert all(each["same"] or each["tie"] for each in told["answers"])
    assert any(each["tokens"] > 0 for each in told["answers"])
    gates = json.loads(zyc(project, "show", "served.proof", "--json"))["gates"]
    assert {each["gate"].split()[0] for each in gates} == {"intact", "missing", "same_answers", "first_token"}


@pytest.mark.slow
def test_the_ledger_ends_in_the_bundle(project):
    """The last hop of a deployment is its bundle, with what its proof found; and it is asked along with the other forms."""
    last = json.loads(zyc(project, "ledger", "served", "--json"))["hops"][-1]
    assert (last["hop"], last["node"]) == ("served", "served")
    assert "its bundle was started: 100% of 8 answers" in json.dumps(last)
    said = zyc(project, "ask", "served", "banana", "--along", "--tokens", "4")
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ")][-1] == "served"


@pytest.mark.slow
def test_what_the_card_says_runs_it(project, tmp_path):
    """The commands of its README, as they stand there: a key, and a gateway that answers whoever has it."""
    folder = tmp_path / "bundle"
    shutil.copytree(project / "artifacts/nodes/served", folder)
    told = (folder / "README.md").read_text().partition("## Run it")[2].partition("```sh\n")[2].partition("```")[0].splitlines()
    install, key, start = told[:3]
    assert install == "pip install -r requirements.txt"
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    call = {"cwd": folder, "env": environ, "text": True}
    made = subprocess.run(["bash", "-c", key], capture_output=True, check=True, **call).stdout.strip()
    free = start.replace("--port 8000", "--port 0")
    assert free != start
    with subprocess.Popen(["bash", "-c", f"exec {free}"], stdout=subprocess.PIPE, **call) as gateway:
        try:
            url = next(told["url"] for line in gateway.stdout if (told := json.loads(line))["event"] == "ready")
            asked = urllib.request.Request(f"{url}/v1/models", headers={"Authorization": f"Bearer {made}"})
            with urllib.request.urlopen(asked, timeout=30) as answer:
                assert [each["id"] for each in json.load(answer)["data"]] == ["one", "two"]
        finally:
            gateway.terminate()
