"""LLaMA-Factory's YAML: what its settings mean, which rows its names of datasets are, and that a spec means the same."""

import json

import pytest
from importers.importing import told

INFO = {
    "identity": {"file_name": "identity.json"},
    "chats": {
        "file_name": "chats.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "turns", "tools": "tools"},
        "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
    },
    "tools": {"file_name": "tools.json", "formatting": "sharegpt", "columns": {"messages": "conversations"}},
    "pairs": {"file_name": "pairs.json", "ranking": True, "columns": {"prompt": "question", "chosen": "good", "rejected": "bad"}},
    "marks": {"file_name": "marks.json", "columns": {"prompt": "instruction", "response": "output", "kto_tag": "label"}},
    "alpaca": {"file_name": "a.json", "columns": {"prompt": "q", "response": "a"}},
    "online": {"hf_hub_url": "a/b", "subset": "small", "split": "test"},
    "compared": {"file_name": "c.json", "formatting": "sharegpt", "ranking": True, "columns": {"messages": "conversations"}},
    "texts": {"file_name": "texts.jsonl", "columns": {"prompt": "body"}},
    "pictures": {"file_name": "p.json", "columns": {"images": "images"}},
    "odd": {"file_name": "o.json", "formatting": "sharegpt", "tags": {"role_tag": "who", "content_tag": "what"}},
    "script": {"script_url": "a/b"},
}
LORA = """
model_name_or_path: Qwen/Qwen3-4B-Instruct-2507
trust_remote_code: true
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
dataset: identity
dataset_dir: data
template: qwen3_nothink
cutoff_len: 2048
output_dir: saves/run
logging_steps: 10
save_steps: 500
overwrite_output_dir: true
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
"""


def factory(more="", *, without=(), **asked):
    """The usual file with more keys, or fewer; dataset_info.json stands in `data`."""
    kept = [line for line in LORA.splitlines() if line.split(":")[0] not in without]
    files = {"data/dataset_info.json": json.dumps(INFO), **asked.pop("files", {})}
    return told("\n".join(kept) + "\n" + more, "llamafactory", files=files, **asked)


def test_a_usual_file_becomes_a_model_a_dataset_and_a_finetune():
    """Every key of the usual recipe is mapped or told to have no effect."""
    seen = factory()
    assert seen.refused == {}
    assert seen["models.qwen3-4b-instruct-2507"] == {"hub": "Qwen/Qwen3-4B-Instruct-2507", "trust_remote_code": "true"}
    assert seen["datasets.identity"] == {"from": "data/identity.json", "format": "alpaca"}
    run = seen["finetunes.run"]
    assert (run["method"], run["context"], run["loss_on"], run["packing"]) == ("lora", "2048", "assistant", "false")
    assert run["lora"] == {"rank": "8", "alpha": "16", "targets": "all-linear"}
    assert (run["train"]["batch"], run["train"]["epochs"], run["train"]["warmup"]) == ("8", "3.0", "10%")
    assert run["placement"] == {"activation_checkpointing": "true", "micro_batch": "1", "checkpoint_every": "500"}


def test_defaults_are_llama_factorys():
    """What the file leaves out is written as LLaMA-Factory has it: twice the rank, fp32, a line, batches of eight."""
    text = "model_name_or_path: a/b\ndataset: identity\n"
    run = told(text, "llamafactory", files={"data/dataset_info.json": json.dumps(INFO)})["finetunes.run"]
    assert run["lora"] == {"rank": "8", "alpha": "16", "targets": "all-linear"}
    train = run["train"]
    assert (train["batch"], train["schedule"], train["precision"], train["epochs"]) == ("8", "linear", "fp32", "3")
    assert (train["warmup"], train["seed"], run["context"]) == ("0%", "42", "2048")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("chats", {"from": "data/chats.jsonl", "format": "messages", "map": {"messages": "turns"}}),
        ("tools", {"from": "data/tools.json", "format": "sharegpt"}),
        ("pairs", {"format": "preference", "map": {"prompt": "question", "chosen": "good", "rejected": "bad"}}),
        ("marks", {"format": "unpaired", "map": {"prompt": "instruction", "completion": "output"}}),
        ("alpaca", {"format": "alpaca", "map": {"instruction": "q", "output": "a"}}),
        ("online", {"hub": "a/b", "subset": "small", "part": "test"}),
    ],
)
def test_names_of_datasets_are_looked_up(name, fields):
    """dataset_info.json says which file a name is, of which form, and under which names of columns."""
    node = factory(f"dataset: {name}", without=["dataset"])[f"datasets.{name}"]
    assert {field: node[field] for field in fields} == fields


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobody", "`data/dataset_info.json` has no `nobody`"),
        ("compared", "answers that are compared, to messages or to prompts of two columns"),
        ("pictures", "rows with images or sound"),
        ("odd", "messages with fields or roles of other names"),
        ("script", "`script` is neither a file nor on the hub"),
    ],
)
def test_rows_that_zyc_cannot_read_are_refused(name, why):
    """The key `dataset` is refused with the reason."""
    assert factory(f"dataset: {name}", without=["dataset"]).refused["dataset"] == why


def test_without_its_list_a_name_of_a_dataset_says_nothing():
    """The help says where dataset_info.json belongs."""
    seen = told(LORA, "llamafactory")
    assert "and `data/dataset_info.json` is not here" in seen.refused["dataset"]
    assert seen.made.text == ""


def test_what_is_about_a_refused_dataset_says_so():
    """`max_samples` has a use, once its dataset is there."""
    seen = told(LORA + "max_samples: 1000\n", "llamafactory")
    assert "it is about a dataset that is refused" in seen.without_effect["max_samples"]


def test_several_datasets_become_one_with_a_part_of_each():
    """Names with commas are joined; `max_samples` and `val_size` are of each."""
    seen = factory("dataset: identity, chats\nmax_samples: 1000\nval_size: 0.1", without=["dataset"])
    assert seen["datasets.run-data.from"] == ["identity", "chats"]
    assert seen["datasets.identity.cap"] == seen["datasets.chats.cap"] == "1000"
    assert seen["datasets.chats.split"] == {"test": "10%", "seed": "42"}


@pytest.mark.parametrize(
    ("more", "method"),
    [
        ("quantization_bit: 4", "qlora"),
        ("use_dora: true", "dora"),
        ("finetuning_type: full", "full"),
        ("quantization_bit: 8", "lora"),
    ],
)
def test_the_method_is_told_by_several_keys(more, method):
    """An adapter on a base in four bits is `qlora`."""
    assert factory(more, without=["finetuning_type"])["finetunes.run.method"] == method


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("finetuning_type: freeze\nfreeze_trainable_layers: 8", "finetuning_type"),
        ("finetuning_type: oft\noft_block_size: 32", "finetuning_type"),
        ("use_galore: true\ngalore_rank: 128", "use_galore"),
        ("use_kt: true", "use_kt"),
        ("fp8: true", "fp8"),
        ("adapter_name_or_path: saves/other", "adapter_name_or_path"),
        ("mask_history: true", "mask_history"),
        ("rope_scaling: yarn", "rope_scaling"),
        ("loraplus_lr_ratio: 16.0", "loraplus_lr_ratio"),
        ("resume_from_checkpoint: saves/run/checkpoint-100", "resume_from_checkpoint"),
        ("report_to: neptune", "report_to"),
        ("lr_scheduler_type: cosine_with_restarts", "lr_scheduler_type"),
        ("optim: lomo", "optim"),
        ("stage: ppo\nreward_model: a/b", "stage"),
        ("eval_dataset: identity", "eval_dataset"),
        ("lora_rnk: 8", "lora_rnk"),
    ],
)
def test_what_zyc_does_otherwise_is_refused(more, key):
    """Each has a reason and a next step."""
    row = factory(more, without=[line.split(":")[0] for line in more.splitlines()]).row(key)
    assert row.why
    assert row.help


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ("stage: dpo\npref_beta: 0.2\npref_loss: sigmoid\ndataset: pairs", {"method": "dpo", "beta": "0.2", "loss": "sigmoid"}),
        ("stage: dpo\npref_loss: orpo\ndataset: pairs", {"method": "orpo", "beta": "0.1"}),
        ("stage: dpo\npref_loss: ipo\npref_ftx: 0.5\ndataset: pairs", {"method": "dpo", "loss": {"ipo": "1", "sft": "0.5"}}),
        ("stage: kto\nkto_chosen_weight: 1.5\ndataset: marks", {"method": "kto", "engine": {"desirable_weight": "1.5"}}),
        ("stage: rm\ndataset: pairs", {"method": "reward", "adapter": "lora"}),
    ],
)
def test_a_stage_of_preferences_is_an_alignment(more, fields):
    """Its method, its beta and the weights of its losses have their fields."""
    seen = factory(more, without=["stage", "dataset"])
    assert seen.refused == {}
    node = seen["alignments.run"]
    assert {field: node[field] for field in fields} == fields


def test_a_stage_of_texts_is_a_pretraining():
    """`stage: pt` on all weights counts its batch in tokens."""
    seen = factory(
        "stage: pt\nfinetuning_type: full\ndataset: texts\nmax_steps: 500", without=["stage", "finetuning_type", "dataset"]
    )
    assert seen.refused == {}
    run = seen["pretrains.run"]
    assert (run["model"], run["data"], run["steps"]) == ("qwen3-4b-instruct-2507", "texts", "500")
    assert (run["batch_tokens"], run["weight_decay"], run["betas"], run["packing"]) == ("16384", "0.0", ["0.9", "0.999"], "true")
    assert seen["datasets.texts"] == {"from": "data/texts.jsonl", "format": "text", "map": {"text": "body"}}


def test_deepspeed_is_read_from_the_file_that_it_names():
    """The stage of ZeRO counts, not the name of the file."""
    files = {"mine.json": '{"zero_optimization": {"stage": 3}}'}
    seen = factory("deepspeed: mine.json", gpus=4, files=files)
    assert seen["finetunes.run.placement.sharding"] == "zero3"
    assert seen["finetunes.run.train.batch"] == "32"


def test_references_are_followed():
    """`${output_dir}` is what OmegaConf makes of it; a secret shows nowhere."""
    seen = factory("run_name: ${output_dir}/x\nhf_hub_token: hf_abcdef")
    assert seen.row("run_name").value == "saves/run/x"
    assert seen.row("hf_hub_token").value == "***"
    assert "hf_abcdef" not in seen.made.text


def test_the_newer_form_is_read_too():
    """`model`, `peft_config` and `dist_config` say the same in groups; its datasets stand in a YAML file of their own."""
    seen = told(
        """
        model: Qwen/Qwen3-4B
        model_class: llm
        template: qwen3_nothink
        peft_config: {name: lora, r: 16, lora_alpha: 32, lora_dropout: 0.05, target_modules: all}
        quant_config: {name: bnb, quantization_bit: 4}
        kernel_config: {name: auto, include_kernels: auto}
        dist_config: {name: fsdp2, dcp_path: null}
        train_dataset: data/list.yaml
        output_dir: out
        micro_batch_size: 1
        global_batch_size: 4
        cutoff_len: 1024
        learning_rate: 1.0e-4
        max_steps: 10
        batching_strategy: padding_free
        """,
        gpus=2,
        files={"data/list.yaml": "own: {path: data/own.json, source: local, converter: alpaca, size: 500}"},
    )
    assert seen.refused == {}
    run = seen["finetunes.run"]
    assert (run["method"], run["lora"]["rank"], run["train"]["batch"], run["placement"]["sharding"]) == (
        "qlora",
        "16",
        "4",
        "fsdp2",
    )
    assert seen["datasets.own"] == {"from": "data/own.json", "format": "alpaca", "cap": "500"}
