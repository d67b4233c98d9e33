"""The modules that scripts which train stand on: how a batch is cut, what a checkpoint is, which tokens of a row are learned."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import trainee

from zyc import kinds
from zyc.catalogue import devices

TEMPLATES = kinds.templates_of("finetune")[0]
HARNESS = TEMPLATES / "lib"


@pytest.fixture
def module(monkeypatch):
    """A module of the harness or of what recipes share, as a script imports it."""
    for folder in ("lib", "shared"):
        monkeypatch.syspath_prepend(str(TEMPLATES / folder))

    def load(name):
        path = next(
            TEMPLATES / folder / f"{name}.py" for folder in ("lib", "shared") if (TEMPLATES / folder / f"{name}.py").exists()
        )
        spec = importlib.util.spec_from_file_location(name, path)
        told = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, told)
        spec.loader.exec_module(told)
        return told

    return load


# --- placement ---


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("micro", [None, 1, 2, 4])
@pytest.mark.parametrize("context", [64, 512, 4096])
def test_the_pieces_of_a_batch_are_the_batch(module, world, micro, context):
    """Whatever the placement, all pieces of all processes together are what the spec says."""
    micro_batch, accumulation = module("placing").pieces(16, context, world=world, device="cpu", micro_batch=micro)
    assert world * micro_batch * accumulation == 16
    assert micro in (None, micro_batch)
    assert micro or micro_batch == 1 or micro_batch * context <= 2048


def test_a_batch_that_cannot_be_cut_is_refused(module):
    """By its processes, and by its micro batch."""
    placing = module("placing")
    for told in ({"world": 3}, {"world": 1, "micro_batch": 5}):
        with pytest.raises(SystemExit, match="error: "):
            placing.pieces(16, 64, device="cpu", **told)


@pytest.mark.slow
@pytest.mark.parametrize(("computes", "trained"), [("float16", "float32"), ("bfloat16", "bfloat16"), ("float32", "float32")])
def test_an_adapter_is_trained_in_what_a_scaler_takes(module, computes, trained):
    """Where it computes in fp16, what is trained has single precision, and a step with its scaler moves it; the rest stays."""
    import torch

    kept, model = getattr(torch, computes), torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)).half()
    model[0].requires_grad_(requires_grad=False)
    module("bases").train_in(kept, model)
    assert {each.dtype for each in model[1].parameters()} == {getattr(torch, trained)}
    assert {each.dtype for each in model[0].parameters()} == {torch.float16}
    optimizer = torch.optim.SGD(model[1].parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, enabled=kept == torch.float16)
    before = model[1].bias.detach().clone()
    scaler.scale(model[1](torch.ones(1, 4, dtype=model[1].weight.dtype)).sum()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    assert torch.equal(model[1].bias, before - 1)


def on(placing, device):
    """A process there."""
    return placing.Placed(device, 1, 0, 0, 4, 2, 8)


@pytest.mark.slow
def test_an_accelerator_that_would_imitate_bf16_is_refused(module, monkeypatch):
    """Before anything is loaded, with its name and with what trains on it; a newer one has it, and fp16 runs on both."""
    import torch

    placed = on(module("placing"), "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    with pytest.raises(SystemExit, match=r"(?s)^error: Tesla T4 has no bf16.*`precision: fp16`.*a key of its own$"):
        placed.computes("bf16")
    assert placed.computes("fp16") == torch.float16
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 0))
    assert placed.computes("bf16") == torch.bfloat16


@pytest.mark.slow
def test_a_processor_that_would_imitate_bf16_computes_in_single_precision(module, monkeypatch):
    """And says so; one that has it computes in it."""
    import torch

    placed = on(module("placing"), "cpu")
    for there, dtype in (({"avx2": True}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: there)
        assert placed.computes("bf16") == dtype
        assert ("would only imitate bf16" in placed.words(dtype, "bf16")) is (dtype == torch.float32)


@pytest.mark.slow
def test_what_only_answers_does_so_without_bf16(module, monkeypatch, capsys):
    """A teacher or a judge in bf16 answers in single precision where the accelerator has none, and that is said."""
    import torch

    placed = on(module("placing"), "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    model = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
    model.dtype, model.name_or_path, made = torch.bfloat16, "in/teachers/0", []
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, where: made.append(where) or self)
    assert module("bases").ready(model, placed).weight.dtype == torch.float32
    assert made == ["cuda"]
    assert capsys.readouterr().out == "in/teachers/0 answers in single precision: this cuda has no bf16 of its own\n"


ALONE = {"cpus": 2}
RUN, ACCELERATE = "PYTHON -m torch.distributed.run", "PYTHON -m accelerate.commands.launch"
BOTH = {"MASTER_ADDR": "10.0.0.1", "NODE_RANK": "1"}


@pytest.mark.parametrize(
    ("settings", "there", "environ", "words"),
    [
        (ALONE, 0, {}, "PYTHON recipe/train.py"),
        ({**ALONE, "gpus": 4}, 8, {}, f"{RUN} --nnodes 1 --nproc-per-node 4 --standalone recipe/train.py"),
        (
            {**ALONE, "nodes": 2, "gpus": 8}, 8, BOTH,
            f"{RUN} --nnodes 2 --nproc-per-node 8 --node-rank 1 --master-addr 10.0.0.1 --master-port 29500 recipe/train.py",
        ),
        (
            {**ALONE, "gpus": 2, "sharding": "fsdp2"}, 2, {},
            f"{ACCELERATE} --config_file placement/fsdp2.yml --num_processes 2 --num_machines 1 recipe/train.py",
        ),
    ],
)  # fmt: skip
def test_a_run_is_started_as_its_placement_says(module, tmp_path, monkeypatch, settings, there, environ, words):
    """One process, one for each accelerator, on one machine or several; accelerate where a file for it was rendered."""
    monkeypatch.chdir(tmp_path)
    Path("placement").mkdir()
    Path("placement/fsdp2.yml").touch()
    told, given = module("launch").command("recipe/train.py", settings, there, environ)
    assert " ".join(told).replace(sys.executable, "PYTHON") == words
    assert given["OMP_NUM_THREADS"] == "2"


def test_accelerators_are_taken_as_they_are_asked_for(module):
    """None is asked for: the first of several; `gpus: 0`: none; more than there are: refused."""
    launch = module("launch")
    assert launch.command("x", ALONE, 8, {})[1]["CUDA_VISIBLE_DEVICES"] == "0"
    assert launch.command("x", ALONE, 2, {"CUDA_VISIBLE_DEVICES": "6,7"})[1]["CUDA_VISIBLE_DEVICES"] == "6"
    assert launch.command("x", {"gpus": 0}, 2, {})[1]["CUDA_VISIBLE_DEVICES"] == ""
    assert "CUDA_VISIBLE_DEVICES" not in launch.command("x", ALONE, 1, {})[1]
    with pytest.raises(SystemExit, match="asks for 4 and this machine has 1"):
        launch.command("x", {"gpus": 4}, 1, {})
    with pytest.raises(SystemExit, match="MASTER_ADDR"):
        launch.command("x", {"nodes": 2}, 0, {})


def test_a_tracker_that_is_not_installed_is_told_before_anything_is_loaded(module, monkeypatch):
    """With the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="pip install wandb"):
        module("launch").tracked({"trackers": {"wandb": "letters"}}, {})


def test_an_attention_that_is_not_installed_is_told_before_anything_is_loaded(module, monkeypatch):
    """With the command that installs it, and what does without."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    module("launch").attended({"attention": "sdpa"})
    with pytest.raises(SystemExit, match=r"pip install flash-attn .*`attention: sdpa`"):
        module("launch").attended({"attention": "flash_attention_2"})


# --- checkpoints ---


def checkpoint(state, step, module):
    """A whole one."""
    path = state / f"checkpoint-{step}"
    path.mkdir(parents=True)
    for name in ("trainer_state.json", "optimizer.pt", "adapter_model.safetensors"):
        (path / name).write_text(f"{name} of {step}")
    module.mark(path)
    return path


SPOILED = {
    "a file that is cut off": lambda path: (path / "optimizer.pt").write_text("op"),
    "a file that is missing": lambda path: (path / "trainer_state.json").unlink(),
    "no mark": lambda path: (path / "whole.json").unlink(),
    "half a mark": lambda path: (path / "whole.json").write_text('{"optimizer'),
    "a file that came later": lambda path: (path / "scheduler.pt").write_text("more"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_not_whole_is_passed_over(module, tmp_path, how):
    """Whatever a kill leaves of the newest checkpoint, the one before it is where a run goes on."""
    keeping, said = module("keeping"), []
    before, newest = (checkpoint(tmp_path, step, keeping) for step in (9, 10))
    assert keeping.newest(tmp_path) == newest
    SPOILED[how](newest)
    assert keeping.newest(tmp_path, say=said.append) == before
    assert said == [f"{newest} is not whole: passed over"]


def test_old_checkpoints_go_but_for_the_best(module, tmp_path):
    """Two stay, and the one that is spared; what was never finished goes with them, and what is being written stays."""
    keeping = module("keeping")
    for step in (2, 4, 6, 8, 10):
        checkpoint(tmp_path, step, keeping)
    SPOILED["no mark"](tmp_path / "checkpoint-6")
    (tmp_path / "checkpoint-12").mkdir()
    keeping.prune([str(tmp_path / "checkpoint-2")], tmp_path)
    assert [keeping.step_of(path) for path in keeping.checkpoints(tmp_path)] == [2, 8, 10, 12]


def test_another_placement_is_told(module, tmp_path):
    """What may move the last bits is said once, and then remembered."""
    keeping = module("keeping")
    assert keeping.same_placement({"micro_batch": 4}, tmp_path) == ""
    assert "micro_batch was 4 and is 8" in keeping.same_placement({"micro_batch": 8}, tmp_path)
    assert keeping.same_placement({"micro_batch": 8}, tmp_path) == ""


# --- numbers ---


def test_a_history_goes_on_where_its_checkpoint_is(module, tmp_path):
    """What was noted behind a checkpoint never happened; a torn last line is none."""
    telling, path = module("telling"), tmp_path / "state/history.jsonl"
    telling.rewind(0, path)
    for step in (1, 2, 3):
        telling.note(path, step=step, loss=1.0 / step)
    with path.open("a") as file:
        file.write('{"step": 4, "lo')
    telling.rewind(2, path)
    assert [each["step"] for each in telling.history(path)] == [1, 2]
    assert telling.last(telling.history(path)) == 0.5


def test_nothing_is_said_of_the_time_that_is_left_before_a_step_was_counted(module, tmp_path, monkeypatch, capsys):
    """The first step warms up: behind it neither the log nor the bar says how long; the last one says that nothing is left."""
    monkeypatch.chdir(tmp_path)
    telling = module("telling")
    pace = telling.Pace(3)
    for step in (1, 2, 3):
        pace.step(step, 10)
        telling.event(step=step, eta=pace.eta)
        telling.line(step, 3, 1.0, pace, 1)
    first, second, last = capsys.readouterr().out.splitlines()
    assert "left" not in first
    assert second.endswith(" s left")
    assert last.endswith("  0 s left")
    assert [("eta" in json.loads(each)) for each in (tmp_path / "events.jsonl").read_text().splitlines()] == [False, True, True]
    pace = telling.Pace(1)
    pace.step(1, 10)
    assert pace.eta == 0.0


def test_the_share_of_an_accelerators_peak(module, monkeypatch):
    """What is frozen costs no gradient of its own; on a CPU nothing is said."""
    for name in ("telling", "keeping", "failing"):
        module(name)
    peaks = module("peaks")
    watching = module("watching")
    weights = [SimpleNamespace(numel=lambda: 1000, requires_grad=False), SimpleNamespace(numel=lambda: 10, requires_grad=True)]
    config = SimpleNamespace(tie_word_embeddings=True, num_attention_heads=1, head_dim=1, num_hidden_layers=0)
    model = SimpleNamespace(config=config, parameters=lambda: iter(weights))
    assert peaks.operations(model, 8) == 4 * 1010 + 2 * 10
    monkeypatch.setattr(peaks, "peak", lambda *_: 1e6)
    arguments = SimpleNamespace(load_best_model_at_end=False)
    for device, share in (("cuda", 100 * 4060 / 1e6), ("cpu", None)):
        watch = watching.Watch(SimpleNamespace(device=device, sharded=False, batch=8, world=1))
        monkeypatch.setattr(watch.asked, "listen", lambda: None)
        watch.on_train_begin(arguments, SimpleNamespace(max_steps=4, global_step=0), None, model=model)
        watch.dtype, watch.pace.tokens, watch.pace.seconds, watch.pace.counted = "bf16", 200, 2.0, 3
        assert watch.share() == share


def test_what_answers_in_four_bits_before_it_learns_passes_gradients_all_the_same(module):
    """A layer that was asked is packed on a processor with bf16, and then learns nothing: it is told not to be."""
    import bitsandbytes
    import torch

    layer = bitsandbytes.nn.Linear4bit(64, 64, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4").to("cpu")
    module("bases").unpacked(torch.nn.Sequential(layer))
    with torch.inference_mode():
        layer.eval()(torch.zeros(1, 64, dtype=torch.bfloat16))
    given = torch.ones(1, 64, dtype=torch.bfloat16, requires_grad=True)
    layer.train()(given).sum().backward()
    assert given.grad is not None
    assert given.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "device"),
    [("Tesla T4", "t4"), ("NVIDIA A100-SXM4-80GB", "a100-80"), ("NVIDIA A10G", "a10g"), ("Tesla V100-SXM2-16GB", "v100"),
     ("NVIDIA H100 80GB HBM3", "h100"), ("NVIDIA H200", "h200"), ("NVIDIA GB10", "dgx-spark"), ("NVIDIA RTX A1000", None)],
)  # fmt: skip
def test_a_run_and_a_plan_know_the_same_peaks(module, monkeypatch, name, device):
    """By the whole word of a name, in the precision that is computed in."""
    import torch

    peaks = module("peaks")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: name)
    told = devices.device(device).peak if device else {}
    assert peaks.peak("cuda", torch.float16) == told.get("fp16")
    assert peaks.peak("cuda", torch.float32) == told.get("fp32")


def test_out_of_memory_names_what_helps(module, tmp_path, monkeypatch):
    """The sum, the fields to change with placement first, and what is kept."""
    monkeypatch.chdir(tmp_path)
    Path("placement").mkdir()
    Path("placement/expected.json").write_text(json.dumps({"gpu_memory": 23_400_000_000}))
    Path("placement/settings.json").write_text(
        json.dumps({"micro_batch": 8, "activation_checkpointing": False, "sharding": "none"})
    )
    told = module("failing").out_of_memory(RuntimeError("CUDA out of memory. Tried"), "state/checkpoint-40")
    for words in (
        "23.4 GB",
        "placement.micro_batch: 4 (now 8)",
        "activation_checkpointing: true",
        "fsdp2",
        "kept: state/checkpoint-40",
    ):
        assert words in told
    assert told.index("micro_batch") < told.index("qlora")


@pytest.mark.parametrize(
    ("raised", "told"), [("MemoryError()", True), ("RuntimeError('CUDA out of memory')", True), ("OSError(28)", False)]
)
def test_memory_is_told_wherever_a_script_ends_for_it(tmp_path, raised, told):
    """While weights load, a trainer is built or a result is saved: no traceback, but what helps there; other errors stay bugs."""
    (tmp_path / "placement").mkdir()
    (tmp_path / "placement/settings.json").write_text("{}")
    begin = f"import sys; sys.path.insert(0, {str(HARNESS)!r}); import failing"
    code = f"{begin}; failing.watched(lambda: 'state/checkpoint-4'); raise {raised}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) is not told
    if told:
        assert "error: out of memory" in done.stderr
        assert "a machine with more memory" in done.stderr
        assert "micro_batch" not in done.stderr
        assert "kept: state/checkpoint-4" in done.stderr


def test_steps_follow_from_rows_and_epochs(module):
    """1,080 rows three times in batches of 32 are 101 steps."""
    steps_of = module("schedules").steps_of
    assert steps_of(1080, 32, epochs=3) == 101
    assert steps_of(1080, 32, steps=7) == 7
    assert steps_of(3, 32, epochs=0.1) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["cosine", "linear", "constant", "wsd"])
def test_our_schedules_are_those_of_transformers(module, name):
    """The rate of our own loop is the rate of the engine, step by step."""
    import torch
    from transformers import get_scheduler

    schedules = module("schedules")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    told = schedules.schedule(name, 0.1, 50)
    theirs = get_scheduler(
        told["lr_scheduler_type"], optimizer, told["warmup_steps"], 50, scheduler_specific_kwargs=told.get("lr_scheduler_kwargs")
    )
    for step in range(50):
        assert schedules.factor(name, 0.1, step, 50) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9), step
        optimizer.step()
        theirs.step()


# --- which tokens are learned ---


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A tokenizer with both forms of a template."""
    home = tmp_path_factory.mktemp("base")
    trainee.make_tokenizer(home)
    return home


def learned(encoder, made):
    """The texts that are learned, in order."""
    parts, inside = [], False
    for token, label in zip(made["input_ids"], made["labels"], strict=True):
        if label != -100:
            parts = [*parts, ""] if not inside else parts
            parts[-1] += encoder.tokenizer.decode([token])
        inside = label != -100
    return parts


def encoder_of(module, base, **more):
    """The encoder of that tokenizer."""
    from transformers import AutoTokenizer

    return module("chats").Encoder.of(base, AutoTokenizer.from_pretrained(base), **{"context": 512, **more})


@pytest.mark.slow
def test_of_many_turns_the_answers_are_learned_with_their_ends(module, base):
    """Each answer and its end of turn, nothing of the user, the system or the template."""
    encoder = encoder_of(module, base)
    (made,) = encoder.encode([{"messages": trainee.chat("door", "red", turns=3)}])
    assert learned(encoder, made) == ["red<|im_end|>"] * 3
    assert made["input_ids"].count(encoder.tokenizer.bos_token_id) == 1
    roles = {module("chats").ROLES[role] for role in made["roles"]}
    assert roles == {"template", "system", "user", "assistant"}


@pytest.mark.slow
def test_other_forms_of_rows(module, base):
    """Of a prompt with a completion the completion is learned; of text, all; of chats in two parts, what the second one says."""
    encoder = encoder_of(module, base)
    rows = [
        {"prompt": "The door is red. ", "completion": "It is red."},
        {"text": "The door is red."},
        {"prompt": trainee.chat("door", "red")[:2], "completion": trainee.chat("door", "red")[2:]},
    ]
    made = [learned(encoder, encoder.encode([row])[0]) for row in rows]
    assert made == [["It is red.<|im_end|>"], ["<s>The door is red.<|im_end|>"], ["red<|im_end|>"]]
    everything = encoder_of(module, base, loss_on="all")
    assert learned(everything, everything.encode([{"messages": trainee.chat("door", "red")}])[0])[0].startswith(
        "<s><|im_start|>system"
    )


@pytest.mark.slow
def test_a_template_without_marks_can_train_one_turn(module, base, tmp_path):
    """The answer follows the prompt as it is rendered; of several turns nothing can be told, and that is said."""
    trainee.make_tokenizer(tmp_path, marked=False)
    encoder = encoder_of(module, tmp_path)
    (made,) = encoder.encode([{"messages": trainee.chat("door", "red")}])
    assert learned(encoder, made) == ["red<|im_end|>"]
    with pytest.raises(SystemExit, match="chats of several turns"):
        encoder.encode([{"messages": trainee.chat("door", "red", turns=2)}])


@pytest.mark.slow
def test_calls_of_tools_reach_the_template_as_they_were_meant(module, base):
    """Arguments lie in a dataset as JSON text, and templates take what that says; fields of other rows are not there."""
    plain = module("chats").plain
    call = {"type": "function", "function": {"name": "light", "arguments": '{"room": "kitchen"}', "strict": None}}
    told = plain([{"role": "assistant", "content": "", "tool_calls": [call], "name": None}])
    function = {"name": "light", "arguments": {"room": "kitchen"}}
    assert told == [{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}]
