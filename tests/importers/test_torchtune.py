"""Torchtune's YAML: what its components mean, and that a spec means the same."""

import pytest
from importers.importing import told

LORA = """
output_dir: /tmp/torchtune/run
model:
  _component_: torchtune.models.llama3_2.lora_llama3_2_1b
  lora_attn_modules: ['q_proj', 'v_proj', 'output_proj']
  apply_lora_to_mlp: True
  apply_lora_to_output: False
  lora_rank: 64
  lora_alpha: 128
  lora_dropout: 0.0
tokenizer:
  _component_: torchtune.models.llama3.llama3_tokenizer
  path: /tmp/Llama-3.2-1B-Instruct/original/tokenizer.model
  max_seq_len: 2048
checkpointer:
  _component_: torchtune.training.FullModelHFCheckpointer
  checkpoint_dir: /tmp/Llama-3.2-1B-Instruct/
  checkpoint_files: [model.safetensors]
  recipe_checkpoint: null
  output_dir: ${output_dir}
  model_type: LLAMA3_2
resume_from_checkpoint: False
save_adapter_weights_only: False
dataset:
  _component_: torchtune.datasets.instruct_dataset
  source: json
  data_files: data/tasks.json
  packed: False
seed: 7
shuffle: True
batch_size: 4
optimizer:
  _component_: torch.optim.AdamW
  fused: True
  weight_decay: 0.01
  lr: 3e-4
lr_scheduler:
  _component_: torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup
  num_warmup_steps: 100
loss:
  _component_: torchtune.modules.loss.CEWithChunkedOutputLoss
epochs: 1
max_steps_per_epoch: 1000
gradient_accumulation_steps: 8
compile: False
metric_logger:
  _component_: torchtune.training.metric_logging.DiskLogger
  log_dir: ${output_dir}/logs
log_every_n_steps: 1
device: cuda
dtype: bf16
enable_activation_checkpointing: True
enable_activation_offloading: False
profiler:
  _component_: torchtune.training.setup_torch_profiler
  enabled: False
  output_dir: ${output_dir}/profiling_outputs
"""


def tune(*changes, **asked):
    """The usual file with lines replaced."""
    text = LORA
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return told(text, "torchtune", **asked)


def test_a_usual_file_becomes_a_model_a_dataset_and_a_finetune():
    """Components are told by their names: the builder is the method, the folder the model, the loader the dataset."""
    seen = tune()
    assert seen.refused == {}
    assert seen["models.llama-3-2-1b-instruct.hub"] == "meta-llama/Llama-3.2-1B-Instruct"
    assert seen["datasets.run-data"] == {
        "from": "data/tasks.json",
        "format": "prompt-completion",
        "map": {"prompt": "input", "completion": "output"},
    }
    run = seen["finetunes.run"]
    assert (run["method"], run["context"], run["loss_on"]) == ("lora", "2048", "assistant")
    targets = ["q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    assert run["lora"] == {"rank": "64", "alpha": "128", "targets": targets, "dropout": "0.0"}
    train = run["train"]
    assert (train["batch"], train["steps"], train["schedule"], train["warmup"]) == ("32", "1000", "cosine", "10%")
    assert (train["learning_rate"], train["weight_decay"], train["clip"], train["seed"]) == ("3e-4", "0.01", "0", "7")
    assert run["placement"] == {"activation_checkpointing": "true", "micro_batch": "4"}


def test_a_reference_is_followed():
    """`${output_dir}/logs` is told as what it stands for."""
    assert tune().row("metric_logger.log_dir").value == "/tmp/torchtune/run/logs"


@pytest.mark.parametrize(
    ("builder", "method"),
    [("llama2.qlora_llama2_7b", "qlora"), ("llama3.dora_llama3_8b", "dora"), ("llama3.llama3_8b", "full")],
)
def test_the_builder_of_the_model_is_the_method(builder, method):
    """`lora_`, `qlora_` and `dora_` before a model's name say what is trained; nothing before it says all."""
    assert tune(("llama3_2.lora_llama3_2_1b", builder))["finetunes.run.method"] == method


def test_layers_have_the_names_that_the_published_model_has():
    """Phi's queries, keys and values are one layer there; an adapter on the output is none that zyc trains."""
    seen = tune(("llama3_2.lora_llama3_2_1b", "phi3.lora_phi3_mini"))
    assert seen["finetunes.run.lora.targets"] == ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]
    assert "lm_head" in tune(("apply_lora_to_output: False", "apply_lora_to_output: True")).refused["model.apply_lora_to_output"]


@pytest.mark.parametrize(
    ("component", "loss_on", "form"),
    [
        ("alpaca_cleaned_dataset", "all", "alpaca"),
        ("text_completion_dataset", "all", "text"),
        ("chat_dataset", "assistant", "messages"),
    ],
)
def test_a_dataset_brings_its_own_defaults(component, loss_on, form):
    """Alpaca's prompts are trained on unless the file says otherwise; those of chats are not."""
    seen = tune(("instruct_dataset", component))
    assert (seen["finetunes.run.loss_on"], seen["datasets.run-data.format"]) == (loss_on, form)


@pytest.mark.parametrize(
    ("component", "columns"),
    [
        ("instruct_dataset", {"prompt": "q", "completion": "a"}),
        ("alpaca_dataset", {"input": "q", "output": "a"}),
    ],
)
def test_columns_are_told_by_the_names_of_the_component(component, columns):
    """What a component calls `input` is the prompt of pairs, and a part of it in Alpaca's rows."""
    change = ("packed: False", "column_map: {input: q, output: a}")
    assert tune(("instruct_dataset", component), change)["datasets.run-data.map"] == columns


def test_a_share_of_an_unknown_number_of_steps_is_asked_for():
    """Steps of warming up are a share of how many there are, which only the rows tell: `--steps` does."""
    open_ended = ("max_steps_per_epoch: 1000", "max_steps_per_epoch: null")
    assert tune(open_ended).row("lr_scheduler.num_warmup_steps").help == "say it: `--steps 3000`"
    assert tune(open_ended, steps=2000)["finetunes.run.train.warmup"] == "5%"


def test_no_schedule_is_a_constant_rate_and_no_bound_none():
    """What torchtune leaves out is written: a constant rate without warming up, gradients without a bound."""
    start, end = LORA.index("lr_scheduler:"), LORA.index("loss:")
    train = tune((LORA[start:end], ""))["finetunes.run.train"]
    assert (train["schedule"], train["warmup"], train["clip"]) == ("constant", "0%", "0")
    assert tune(("compile: False", "clip_grad_norm: 1.0"))["finetunes.run.train.clip"] == "1.0"


def test_rows_without_a_bound_are_cut_and_that_is_told():
    """Torchtune cuts nothing without `max_seq_len`; a spec always says how long a row may be."""
    seen = tune(("max_seq_len: 2048", "max_seq_len: null"))
    assert seen["finetunes.run.context"] == "4096"
    assert "longer rows are cut here, and counted" in seen.made.text


def test_several_gpus_share_it_as_torchtune_does():
    """Its distributed recipes shard by FSDP; how many GPUs there were stands on its command line."""
    seen = tune(gpus=8)
    assert seen["finetunes.run.placement.sharding"] == "fsdp2"
    assert seen["finetunes.run.train.batch"] == "256"
    assert tune(("compile: False", "fsdp_cpu_offload: False")).row("fsdp_cpu_offload").help == "say it: `--gpus 8`"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("torch.optim.AdamW", "torchao.optim.CPUOffloadOptimizer"), "optimizer._component_"),
        (("CEWithChunkedOutputLoss", "OtherLoss"), "loss._component_"),
        (("get_cosine_schedule_with_warmup", "get_lr"), "lr_scheduler._component_"),
        (("instruct_dataset", "multimodal.the_cauldron_dataset"), "dataset._component_"),
        (("metric_logging.DiskLogger", "metric_logging.CometLogger"), "metric_logger._component_"),
        (("recipe_checkpoint: null", "recipe_checkpoint: recipe_state.pt"), "checkpointer.recipe_checkpoint"),
        (("compile: False", "quantizer: {_component_: x, groupsize: 256}"), "quantizer._component_"),
        (("compile: False", "teacher_model: {_component_: torchtune.models.llama3_1.llama3_1_8b}"), "teacher_model._component_"),
        (("packed: False", "new_system_prompt: Be kind."), "dataset.new_system_prompt"),
        (("/tmp/Llama-3.2-1B-Instruct/\n", "/tmp/mine/\n"), "checkpointer.checkpoint_dir"),
        (("compile: False", "comple: False"), "comple"),
    ],
)
def test_what_zyc_does_otherwise_is_refused(change, key):
    """Each has a reason and a next step."""
    row = tune(change).row(key)
    assert row.why
    assert row.help


def test_preferences_are_an_alignment():
    """`DPOLoss` with its beta becomes a method with its beta."""
    seen = tune(
        ("torchtune.modules.loss.CEWithChunkedOutputLoss", "torchtune.rlhf.loss.DPOLoss\n  beta: 0.05\n  label_smoothing: 0"),
        ("instruct_dataset", "preference_dataset"),
    )
    assert seen.refused == {}
    node = seen["alignments.run"]
    assert (node["method"], node["beta"], node["adapter"]) == ("dpo", "0.05", "lora")
    assert seen["datasets.run-data.format"] == "preference"


def test_a_recipe_that_trains_nothing_is_told_so():
    """Generation and evaluation have no training to import."""
    seen = told(
        "model: {_component_: torchtune.models.llama2.llama2_7b}\ntemperature: 0.6\ntop_k: 300\ntasks: [mmlu]", "torchtune"
    )
    assert seen.refused["optimizer"] == "it is of a recipe that trains nothing"
    assert "prompts" in seen.without_effect["temperature"]
