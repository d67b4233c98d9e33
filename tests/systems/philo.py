"""philo in a folder of its own, with questions for its models; built as a twin."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parent
ROOT = HOME.parent.parent
MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"
OTHERS = ("philo-premium", "philo-ablation", "philo-bases")
EXAM = """zyc: 1
steps:
  asked:
    inputs: {models: [mistral-7b.gguf, philo-lora.fused.gguf], exam: exam}
    scripts: {ask.py: specs/data/examined.py, llama_home.py: specs/data/llama_home.py}
    run: python recipe/ask.py
    twin: [model1 >= 75%, model0 < 30%]
"""


def write(folder, *, model=MISTRAL, system=True):
    """The project; a family whose template has no place for a system message is told who answers by the user."""
    specs = folder / "specs"
    shutil.copytree(ROOT / "specs" / "data", specs / "data")
    shutil.copyfile(HOME / "examined.py", specs / "data" / "examined.py")
    shutil.copyfile(ROOT / "templates" / "lib" / "llama_home.py", specs / "data" / "llama_home.py")
    (specs / "philo-free.yml").write_text((ROOT / "specs" / "philo-free.yml").read_text().replace(MISTRAL, model))
    (specs / "exam.yml").write_text(EXAM)
    if not system:
        grammar = specs / "data" / "philo" / "schemes.grammar.yml"
        text = re.sub(r" *- system: .*\n", "", grammar.read_text())
        grammar.write_text(text.replace('user: "', 'user: "Tu es {philosopher.name}. '))
        # who is asked is part of the question then, and a few of them share thirteen words with one of the exam
        free = specs / "philo-free.yml"
        free.write_text(free.read_text().replace("rows = 1200", "rows >= 1180").replace("spinoza = 600", "spinoza >= 580"))


def add(folder, *names):
    """More of the philosophers' specs, in the same project."""
    for name in names:
        shutil.copyfile(ROOT / "specs" / f"{name}.yml", folder / "specs" / f"{name}.yml")


def build(folder, *more):
    """Build it as a twin, and what became of each node."""
    call = [sys.executable, "-m", "zyc", "build", "--twin", "--json", *more]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return {each["node"]: each for each in events if each.get("event") == "end"}
