"""A deployment is built, served and talked with, as a person does it."""

import os
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest

SPEC = """zyc: 1
tokenizers:
  pieces: {corpus: data/words.txt, vocab: 300, chat_template: chatml}
models:
  tiny: {scratch: {family: llama, layers: 1, heads: 2, width: 128, mlp: 128, context: 256}, tokenizer: pieces}
prompts:
  kant: {system: Say a word., sampling: {max_tokens: 8}}
  spinoza: {system: Say a number., sampling: {max_tokens: 8}}
deployments:
  words: {model: tiny, prompts: [kant, spinoza], target: server, context: 256, registry: {id: words}}
  helper: {model: tiny, prompts: kant, target: assistant, context: 256, assistant: {tools: data/tools.yml, language: en}}
"""


def zyc(folder, *words, **more):
    """One call."""
    call = [sys.executable, "-m", "zyc", *words]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False, **more)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A toy deployment, not built."""
    home = tmp_path_factory.mktemp("served here")
    (home / "specs").mkdir()
    (home / "data").mkdir()
    (home / "specs/words.yml").write_text(SPEC)
    (home / "data/tools.yml").write_text("tools: {note: {}, list_todos: {}}\n")
    words = ("le", "la", "chat", "chien", "dort", "mange", "vite", "bien", "oui", "non", "soleil", "lune", "rouge", "vert")
    lines = [" ".join(words[(at * step) % len(words)] for step in range(1, 9)) for at in range(300)]
    (home / "data/words.txt").write_text("\n".join(lines))
    return home


@pytest.mark.slow
def test_what_is_not_built_or_does_not_answer_is_told(project):
    """The next step stands below; nothing is a traceback."""
    for call, told in {
        ("serve", "words"): "`zyc build words` builds it",
        ("chat", "words"): "`zyc build words` builds it",
        ("chat", "tiny", "--as", "cant"): "`kant`",
    }.items():
        done = zyc(project, *call)
        assert done.returncode != 0
        assert told in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_deployment_is_served_and_talked_with(project):
    """Build, serve with a first key that is shown once, ask, end by Ctrl-C; then a talk under two personas."""
    done = zyc(project, "build", "words")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with (project / "log").open("w") as log:
        call = [sys.executable, "-m", "zyc", "serve", "words", "--port", "0"]
        served = subprocess.Popen(call, cwd=project, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        url = _until(project / "log", r'"event": "ready", "url": "([^"]+)"', served)
        key = re.search(r"zk-[\w-]+", (project / "log").read_text())[0]
        body = {"model": "kant", "messages": [{"role": "user", "content": "le chat"}]}
        told = httpx.post(f"{url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        assert told.status_code == 200
        assert 0 < told.json()["usage"]["completion_tokens"] <= 8
        more = re.search(r"more keys +(.*)", (project / "log").read_text())[1].replace("NAME", "second")
        other = subprocess.run(["sh", "-c", more], cwd="/", capture_output=True, text=True, check=True).stdout.strip()
        told = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {other}"})
        assert told.status_code == 200
        assert not [*(project / "artifacts/store").rglob("__pycache__")]
        os.killpg(served.pid, signal.SIGINT)  # as a terminal does
        assert served.wait(30) == 0
    finally:
        if served.poll() is None:
            served.terminate()
            served.wait(30)
    assert '"event": "stopped"' in (project / "log").read_text()
    done = zyc(project, "chat", "words", "--as", "spinoza", input="le chat\n/as kant\n/as nobody\n/quit\n")
    assert done.returncode == 0, done.stderr
    assert "spinoza > " in done.stdout
    assert "kant answers" in done.stdout
    assert "there is no `nobody` here; there is spinoza, kant" in done.stdout
    done = zyc(project, "serve", "tiny")
    assert "only a deployment is served" in done.stderr


@pytest.mark.slow
def test_an_assistant_is_served_and_keeps_its_things_beside_the_store(project):
    """It starts with its tools, answers, and ends; what it writes stands in the project, and the store stays whole."""
    done = zyc(project, "build", "helper")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    done = zyc(project, "serve", "helper", input="le chat\n", timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    home = project / "artifacts/serving/real/helper"
    assert (home / "log.jsonl").read_text().count("\n") >= 1
    assert zyc(project, "verify").returncode == 0
    assert not [path for path in (project / "artifacts/store").rglob("*") if path.name == "log.jsonl"]


def _until(log, pattern, process, seconds=90):
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        found = re.search(pattern, log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text())
