"""A finetune of a hub's model is trained by its notebook where there is no zyc; what it made is adopted, and a build goes on."""

import json

import hubs
import pytest
import trainee
from desk import Desk
from elsewhere import Elsewhere, machine_without_zyc

SPEC = """\
models: {base: me/tiny}
datasets: {colours: {from: specs/data/colours.jsonl, format: messages, split: {test: 10%, seed: 1}}}
finetunes:
  answers:
    base: base
    data: colours
    context: 96
    lora: {rank: 4}
    train: {steps: 24, batch: 8, learning_rate: 1e-2, precision: fp32}
    placement: {gpus: 0}
    gates: [train.loss < 9]
steps:
  page: {inputs: {answers: answers, base: base}, run: ls in/answers in/base > out/page.txt}
"""


@pytest.mark.slow
def test_what_a_notebook_trained_elsewhere_is_gone_on_from(tmp_path):
    """A notebook and a parcel go there, one file comes home; the next build keeps the adapter, and fetches the model."""
    desk = Desk(tmp_path / "project")
    cache = desk.root / "hub"
    trainee.make_model(tmp_path / "model")
    for name in ("zyc.json", "training_template.jinja"):
        (tmp_path / "model" / name).unlink()  # a hub has none of ours
    hubs.hub(cache, "me/tiny", tmp_path / "model", commits={"main": "1" * 40})
    desk.write("specs/data/colours.jsonl", "".join(f"{json.dumps(row)}\n" for row in trainee.chats(120)))
    desk.spec(SPEC, "toy")
    desk.environ |= {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    assert desk.zyc("lock").code == 0
    assert desk.zyc("build", "colours").code == 0
    told = desk.zyc("render", "answers", "--as", "notebook", "--json").data
    assert (told["key"], [(each["place"], each["how"]) for each in told["inputs"]]) == (
        None,
        [("base", "made here"), ("data", "packed")],
    )

    there = Elsewhere(tmp_path / "elsewhere", machine_without_zyc(tmp_path / "venv"))
    there.bring(desk.root / "answers.ipynb", desk.root / "answers.inputs.tar")
    done = there.run("answers.ipynb", HF_HUB_CACHE=str(cache), HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "step 24 of 24" in done.stdout

    there_result = there.root / "answers.zyc.tar"
    (desk.root / "answers.zyc.tar").write_bytes(there_result.read_bytes())
    adopted = desk.zyc("adopt", "answers.zyc.tar", "--json")
    assert adopted.code == 0, adopted.text
    assert [(each["node"], each["held"]) for each in adopted.data["adopted"]] == [("base", False), ("answers", True)]
    assert adopted.data["adopted"][1]["environment"]["package:torch"].startswith("2.")
    fates = desk.fates()
    assert (fates["answers"], fates["base"], fates["page"]) == ("kept", "ran", "ran")
    assert "adapter_model.safetensors" in desk.tree("page")["page.txt"].decode()
    assert desk.zyc("report", "answers").code == 0
    page = desk.read("artifacts/report/answers/index.html")
    assert "made elsewhere (notebook" in page
    assert "Answers before and after" in page
    assert (desk.root / "artifacts/report/answers/loss.png").read_bytes().startswith(b"\x89PNG")
