"""Axolotl's YAML: what its settings mean, and that a spec means the same."""

import pytest
from importers.importing import told

LORA = """
base_model: meta-llama/Llama-3.2-1B-Instruct
datasets:
  - path: data/answers.jsonl
    type: alpaca
val_set_size: 0.1
adapter: lora
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules: [q_proj, self_attn.v_proj]
sequence_len: 2048
sample_packing: true
gradient_accumulation_steps: 4
micro_batch_size: 2
num_epochs: 3
evals_per_epoch: 4
optimizer: adamw_bnb_8bit
lr_scheduler: cosine
learning_rate: 2e-4
warmup_ratio: 0.1
weight_decay: 0.0
bf16: auto
gradient_checkpointing: true
attn_implementation: flash_attention_2
"""


def axolotl(more="", *, without=(), **asked):
    """The usual file with more keys, or fewer."""
    kept = [line for line in LORA.splitlines() if line.split(":")[0].strip() not in without]
    return told("\n".join(kept) + "\n" + more, "axolotl", **asked)


def test_tf32_is_what_the_engine_does():
    """A setting of the engine where it is on; else the file asks for nothing."""
    assert axolotl("tf32: true")["finetunes.run"]["engine"] == {"tf32": "true"}
    seen = axolotl("tf32: false")
    assert "engine" not in seen["finetunes.run"]
    assert seen.refused == {}


def test_a_usual_file_becomes_a_model_a_dataset_and_a_finetune():
    """Base, data, adapter, length, batch, pace and place are where a spec has them."""
    seen = axolotl()
    assert seen.refused == {}
    assert seen["models.llama-3-2-1b-instruct.hub"] == "meta-llama/Llama-3.2-1B-Instruct"
    assert seen["datasets.answers.format"] == "alpaca"
    assert seen["datasets.answers.split"] == {"test": "10%", "seed": "42"}
    run = seen["finetunes.run"]
    assert (run["base"], run["data"], run["method"], run["context"]) == ("llama-3-2-1b-instruct", "answers", "lora", "2048")
    assert run["lora"] == {"rank": "16", "alpha": "32", "dropout": "0.05", "targets": ["q_proj", "v_proj"]}
    assert (run["packing"], run["loss_on"]) == ("true", "assistant")
    assert run["train"]["learning_rate"] == "2e-4"
    assert (run["train"]["epochs"], run["train"]["tests"], run["train"]["warmup"]) == ("3", "12", "10%")
    assert (run["train"]["optimizer"], run["train"]["schedule"], run["train"]["precision"]) == ("adamw-8bit", "cosine", "bf16")
    assert run["placement"] == {"activation_checkpointing": "true", "attention": "flash_attention_2", "micro_batch": "2"}


@pytest.mark.parametrize(
    ("more", "gpus", "batch", "micro"),
    [
        ("", None, "8", "2"),
        ("", 8, "64", "2"),
        ("dp_shard_size: 4\ndp_replicate_size: 2", None, "64", "2"),
        ("use_ray: true\nray_num_workers: 3", None, "24", "2"),
    ],
)
def test_a_batch_is_the_product_of_three_numbers(more, gpus, batch, micro):
    """What a device takes at once, times what is accumulated, times the devices that the file or the call names."""
    seen = axolotl(more, gpus=gpus)
    assert (seen["finetunes.run.train.batch"], seen["finetunes.run.placement.micro_batch"]) == (batch, micro)
    assert seen.row("gradient_accumulation_steps").becomes == "train.batch"
    assert seen.row("micro_batch_size").becomes == "train.batch, placement.micro_batch"


def test_a_whole_batch_stands_for_its_accumulation():
    """`batch_size` says how often is accumulated where `gradient_accumulation_steps` does not."""
    assert axolotl("batch_size: 6", without=["gradient_accumulation_steps"])["finetunes.run.train.batch"] == "6"


def test_defaults_are_axolotls_not_zycs():
    """What the file leaves out is written as axolotl has it: its seed, its epochs, its warm-up, its batch."""
    seen = told("base_model: a/b\ndatasets: [{path: d.jsonl, type: alpaca}]\nlearning_rate: 1e-5", "axolotl")
    run = seen["finetunes.run"]
    assert (run["method"], run["context"], run["packing"]) == ("full", "512", "false")
    train = run["train"]
    assert (train["batch"], train["epochs"], train["seed"], train["warmup"]) == ("1", "1", "42", "3%")
    assert (train["schedule"], train["optimizer"], train["precision"]) == ("cosine", "adamw", "bf16")


@pytest.mark.parametrize(
    ("more", "method"),
    [
        ("adapter: qlora\nload_in_4bit: true", "qlora"),
        ("adapter: lora\nload_in_4bit: true", "qlora"),
        ("adapter: lora\npeft_use_dora: true", "dora"),
        ("adapter: lora\nload_in_8bit: true", "lora"),
        ("adapter:", "full"),
    ],
)
def test_the_method_is_told_by_several_keys(more, method):
    """An adapter on a base in four bits is `qlora`, whatever the file calls it; none trains all weights."""
    seen = axolotl(more, without=["adapter"])
    assert seen["finetunes.run.method"] == method
    assert ("finetunes.run.lora" in seen) == (method != "full")


def test_keys_of_an_adapter_have_no_effect_without_one():
    """What axolotl overlooks is told, not mapped."""
    seen = axolotl("adapter:", without=["adapter"])
    assert seen.without_effect["lora_r"] == "no adapter is trained"


def test_all_linear_layers_outweigh_a_list():
    """`lora_target_linear` takes the names with it; a pattern is refused with what to write."""
    assert axolotl("lora_target_linear: true")["finetunes.run.lora.targets"] == "all-linear"
    pattern = axolotl(
        r"lora_target_modules: 'model.layers.[\d]+.(mlp|self_attn).(up|down)_proj'", without=["lora_target_modules"]
    )
    none = axolotl(without=["lora_target_modules"])
    assert none.refused == {"adapter": "it names no layer that the adapter changes"}
    assert pattern.row("lora_target_modules").help == "list the names: `[q_proj, v_proj]`, or `lora_target_linear: true`"


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        ("{path: b.jsonl, type: chat_template}", {"format": "messages"}),
        ("{path: b.jsonl, type: chat_template, message_property_mappings: {role: from, content: value}}",
         {"format": "sharegpt", "map": {"conversations": "messages"}}),
        ("{path: b.jsonl, type: chat_template, field_messages: conversations}",
         {"format": "messages", "map": {"messages": "conversations"}}),
        ("{path: b.jsonl, type: sharegpt, field_messages: turns}", {"format": "sharegpt", "map": {"conversations": "turns"}}),
        ("{path: a/b, name: small, split: test, type: alpaca, revision: main, data_files: [x.json]}",
         {"hub": "a/b", "subset": "small", "part": "test", "revision": "main", "files": ["x.json"]}),
        ("{path: b.jsonl, type: alpaca}", {"format": "alpaca"}),
        ("{path: b.jsonl, type: completion, field: chapter}", {"format": "text", "map": {"text": "chapter"}}),
        ("{path: data/chats.jsonl, ds_type: json, type: chat_template, field_messages: turns}",
         {"from": "data/chats.jsonl", "format": "messages", "map": {"messages": "turns"}}),
        ("{path: b.jsonl, type: {field_instruction: question, field_output: answer, format: '{instruction}'}}",
         {"format": "alpaca", "map": {"instruction": "question", "output": "answer"}}),
        ("{path: b.jsonl, type: {field_prompt: p, field_chosen: good, field_rejected: bad}}",
         {"format": "preference", "map": {"prompt": "p", "chosen": "good", "rejected": "bad"}}),
    ],
)  # fmt: skip
def test_rows_have_the_form_that_their_type_names(entry, fields):
    """A type is a format and names of columns."""
    seen = axolotl(f"datasets: [{entry}]", without=["datasets", "- path", "type"])
    assert seen.refused == {}
    node = seen["datasets.chats" if "chats" in entry else "datasets.b"]
    assert {name: node[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("val_set_size: 100", "val_set_size"),
        ("max_packed_sequence_len: 2048", "max_packed_sequence_len"),
        ("lora_target_parameters: [experts.down_proj]", "lora_target_parameters"),
    ],
)
def test_what_a_spec_cannot_say_is_refused(more, key):
    """A number of held-out rows, a setting that axolotl gave up, layers that are no modules."""
    assert axolotl(more, without=[key]).row(key).help


def test_whole_layers_are_kept_with_an_adapter_and_only_with_one():
    """`lora_modules_to_save` belongs to an adapter."""
    more = "lora_modules_to_save: [embed_tokens, lm_head]"
    assert axolotl(more)["finetunes.run.lora.modules_to_save"] == ["embed_tokens", "lm_head"]
    assert axolotl(f"adapter:\n{more}", without=["adapter"]).without_effect["lora_modules_to_save"] == "no adapter is trained"


def test_an_order_of_their_own_is_kept():
    """`curriculum_sampling` takes rows as they stand."""
    assert axolotl("curriculum_sampling: true")["finetunes.run.engine.train_sampling_strategy"] == "sequential"


def test_texts_are_learned_whole():
    """Rows without answers are trained on in every word."""
    seen = axolotl("datasets: [{path: b.jsonl, type: completion}]", without=["datasets", "- path", "type"])
    assert seen["finetunes.run.loss_on"] == "all"
    assert axolotl("train_on_inputs: true")["finetunes.run.loss_on"] == "all"


def test_a_slice_of_a_split_is_a_number_of_rows_or_refused():
    """So many rows are a cap; a share of them cannot be said."""
    cut, whole = "{{path: a/b, type: alpaca, split: '{}'}}", ["datasets", "- path", "type"]
    seen = axolotl(f"datasets: [{cut.format('train[:500]')}]", without=whole)
    assert seen["datasets.b"]["cap"] == "500"
    assert "datasets.b.part" not in seen
    assert axolotl(f"datasets: [{cut.format('test[:500]')}]", without=whole)["datasets.b.part"] == "test"
    for part in ("train[:10%]", "train[5:]", "train+test"):
        assert "datasets[0].split" in axolotl(f"datasets: [{cut.format(part)}]", without=whole).refused


@pytest.mark.parametrize(
    ("entry", "key", "why"),
    [
        ("{path: b.jsonl, type: input_output}", "type", "rows of the form `input_output`"),
        ("{path: 's3://bucket/x.jsonl', type: alpaca}", "path", "rows come from a hub or from files of the project"),
        ("{path: /data/x.jsonl, type: alpaca}", "path", "a path must stay below the project's root"),
        ("{path: b.jsonl, type: chat_template, train_on_eos: none}", "train_on_eos",
         "the end of a turn would not be trained: the model would never stop"),
        ("{path: b.jsonl, type: chat_template, roles_to_train: [user]}", "roles_to_train", "a loss on some roles of their own"),
        ("{path: b.jsonl, type: chat_template, roles: {assistant: [bot]}}", "roles", "`bot` is no role of such messages here"),
        ("{path: b.jsonl, type: {format: 'Q: {instruction}'}}", "type", "a wording of its own in `format`"),
        ("{path: b.jsonl, type: alpaca, shards: 4, shards_idx: 1}", "shards_idx", "only a part of the rows would be read"),
        ("{path: b.jsonl, type: alpaca, trust_remote_code: true}", "trust_remote_code",
         "a dataset is data here: no code of others runs for it"),
    ],
)  # fmt: skip
def test_rows_that_would_be_others_are_refused(entry, key, why):
    """What a dataset cannot say here is refused with the key that says it."""
    seen = axolotl(f"datasets: [{entry}]", without=["datasets", "- path", "type"])
    assert seen.refused[f"datasets[0].{key}"] == why


def test_several_datasets_become_one():
    """Datasets are joined by a node of their own, and each holds out the same share."""
    more = "datasets: [{path: b.jsonl, type: alpaca}, {path: d.jsonl, type: sharegpt}]"
    seen = axolotl(more, without=["datasets", "- path", "type"])
    assert seen["datasets.run-data.from"] == ["b", "d"]
    assert seen["finetunes.run.data"] == "run-data"
    assert seen["datasets.b.split"] == seen["datasets.d.split"] == {"test": "10%", "seed": "42"}


@pytest.mark.parametrize(
    ("more", "sharding"),
    [
        ("deepspeed: deepspeed_configs/zero3_bf16.json", "zero3"),
        ("deepspeed: deepspeed_configs/zero1.json", "zero2"),
        ("deepspeed: mine.json", "zero2"),
        ("deepspeed: {zero_optimization: {stage: 3}}", "zero3"),
        ("fsdp: [full_shard, auto_wrap]\nfsdp_config: {fsdp_offload_params: false}", "fsdp2"),
        ("fsdp_version: 2\nfsdp_config: {reshard_after_forward: true}", "fsdp2"),
        ("", "ddp"),
    ],
)
def test_how_it_shards(more, sharding):
    """DeepSpeed's stage is read from its file or its name; several GPUs without a word share the batch."""
    seen = axolotl(more, gpus=4, files={"mine.json": '{"zero_optimization": {"stage": 2}}'})
    assert seen.refused == {}
    assert seen["finetunes.run.placement.sharding"] == sharding
    assert seen["finetunes.run.placement.gpus"] == "4"


def test_who_shards_says_over_how_many():
    """The batch depends on the number of GPUs, so a file that shards and does not say it is refused."""
    assert axolotl("fsdp: [full_shard]").row("fsdp").help == "say it: `--gpus 8`"
    assert "neither the file" in axolotl("deepspeed: mine.json", gpus=2).refused["deepspeed"]


@pytest.mark.parametrize(
    ("more", "steps", "warmup"),
    [("warmup_steps: 10\nmax_steps: 200", 0, "5%"), ("warmup_steps: 10", 1000, "1%"), ("warmup_steps: 0.02", 0, "2%")],
)
def test_warming_up_for_some_steps_is_a_share_of_them(more, steps, warmup):
    """Steps of warming up are a share where the number of steps is known."""
    assert axolotl(more, without=["warmup_ratio"], steps=steps)["finetunes.run.train.warmup"] == warmup


def test_warming_up_for_some_of_nobody_knows_how_many_steps_is_refused():
    """A number of steps is no share of an unknown one; the help says how to tell it."""
    seen = axolotl("warmup_steps: 10", without=["warmup_ratio"])
    assert seen.row("warmup_steps").help == "say it: `--steps 3000`, or write `warmup_ratio: 0.03` instead"


def test_steps_outweigh_epochs():
    """As in axolotl."""
    seen = axolotl("max_steps: 50")
    assert seen["finetunes.run.train.steps"] == "50"
    assert seen.without_effect["num_epochs"] == "`max_steps` counts more"


def test_a_setting_of_the_engine_is_passed_through():
    """What zyc has no field for and the engine knows goes to `engine`, by the engine's name."""
    seen = axolotl("neftune_noise_alpha: 5\nadam_epsilon: 1e-6\ngroup_by_length: yes\nlr_scheduler_kwargs: {num_cycles: 0.5}")
    assert seen["finetunes.run.engine"] == {
        "neftune_noise_alpha": "5",
        "adam_epsilon": "1e-6",
        "train_sampling_strategy": "group_by_length",
        "lr_scheduler_kwargs": {"num_cycles": "0.5"},
    }


def test_trackers_are_placement():
    """A project that is named is one that is used; an empty one is not."""
    seen = axolotl("wandb_project: mine\nwandb_entity: us\nuse_tensorboard: true\nmlflow_experiment_name:")
    assert seen["finetunes.run.placement.trackers"] == {"wandb": "mine", "tensorboard": "true"}
    assert "environment" in seen.without_effect["wandb_entity"]
    assert axolotl("use_wandb: false\nwandb_project: mine").without_effect["wandb_project"]


def test_texts_without_end_are_a_pretraining():
    """`pretraining_dataset` becomes a pretraining whose batch is counted in tokens."""
    seen = told(
        """
        base_model: a/tiny
        pretraining_dataset: [{path: data/texts.jsonl, type: pretrain, text_column: body}]
        sequence_len: 1024
        micro_batch_size: 2
        gradient_accumulation_steps: 4
        max_steps: 1000
        learning_rate: 1e-3
        warmup_steps: 100
        sample_packing: true
        """,
        "axolotl",
    )
    assert seen.refused == {}
    assert seen["datasets.texts"] == {"from": "data/texts.jsonl", "format": "text", "map": {"text": "body"}}
    run = seen["pretrains.run"]
    assert (run["model"], run["data"], run["steps"], run["context"]) == ("tiny", "texts", "1000", "1024")
    assert (run["batch_tokens"], run["warmup"], run["learning_rate"]) == ("8192", "10%", "1e-3")
    assert (run["weight_decay"], run["betas"]) == ("0.0", ["0.9", "0.999"])  # axolotl's defaults; zyc's are others


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ("rl: dpo\nrl_beta: 0.2", {"method": "dpo", "beta": "0.2", "adapter": "lora"}),
        ("rl: dpo\ndpo_loss_type: [sigmoid, sft]\ndpo_loss_weights: [1.0, 0.1]", {"loss": {"sigmoid": "1.0", "sft": "0.1"}}),
        ("rl: ipo", {"method": "dpo", "loss": ["ipo"]}),
        ("rl: kto\nkto_desirable_weight: 0.2", {"method": "kto", "group": "2", "engine": {"desirable_weight": "0.2"}}),
        ("rl: orpo\norpo_alpha: 0.1", {"method": "orpo", "beta": "0.1"}),
        (
            "reward_model: true\ncenter_rewards_coefficient: 0.01",
            {"method": "reward", "engine": {"center_rewards_coefficient": "0.01"}},
        ),
        ("rl: dpo\nadapter:", {"adapter": "none"}),
    ],
)
def test_a_method_of_preferences_is_an_alignment(more, fields):
    """`rl` names the method; its settings become fields or settings of the engine."""
    entry = "datasets: [{path: b.jsonl, type: chat_template.default, field_chosen: better}]"
    without = ["datasets", "- path", "type", "sample_packing", *(["adapter"] if "adapter" in more else [])]
    seen = axolotl(f"{more}\n{entry}", without=without)
    assert seen.refused == {}
    assert seen["datasets.b"]["format"] == "preference"
    assert seen["datasets.b.map"] == {"chosen": "better"}
    node = seen["alignments.run"]
    assert {field: node[field] for field in fields} == fields


def test_rewards_are_functions_of_files():
    """GRPO's functions of modules are functions in files; how answers are drawn has its fields."""
    seen = axolotl(
        """
rl: grpo
trl:
  num_generations: 4
  max_completion_length: 128
  temperature: 0.7
  epsilon: 0.2
  loss_type: grpo
  use_vllm: true
  reward_funcs: [rewards.style, rewards.truth]
  reward_weights: [1.0, 2.0]
datasets: [{path: b.jsonl, type: chat_template}]
""",
        without=["datasets", "- path", "type", "sample_packing"],
    )
    assert seen.refused == {}
    node = seen["alignments.run"]
    assert node["rewards"][1] == {"file": "rewards.py", "function": "truth", "weight": "2.0"}
    assert node["rollout"] == {"generations": "4", "max_tokens": "128", "temperature": "0.7"}
    assert (node["loss"], node["engine"]) == ("grpo", {"epsilon": "0.2"})
    assert (
        axolotl("rl: grpo\ntrl: {rollout_func: mine.roll}").refused["trl.rollout_func"] == "axolotl's own variant of the method"
    )


def test_what_has_no_counterpart_at_all_leaves_nothing_to_write():
    """Without its method a training is none: there is no part of it."""
    seen = axolotl("rl: ebft\nebft: {stride: 8}")
    assert seen.refused["rl"] == "zyc has no `ebft`"
    assert seen.made.text == ""
    assert axolotl(without=["base_model"]).made.text == ""


def test_a_key_that_axolotl_drops_is_refused_with_the_right_word():
    """A misspelt key, which axolotl drops without a word, is refused by name with the one that was meant."""
    row = axolotl("context_parapllel_size: 2").row("context_parapllel_size")
    assert (row.why, row.help) == (
        "axolotl knows no such key, and drops it without a word",
        "did you mean `context_parallel_size`?",
    )


def test_what_is_off_needs_no_refusal():
    """A method that zyc lacks is refused when it is on, and told when it is off."""
    assert axolotl("relora: true").refused["relora"] == "zyc has no such method"
    assert axolotl("relora: false\nqat: {}\nunfrozen_parameters: []").refused == {}


def test_plugins_are_known_by_name():
    """Plugins that only make it faster have no effect here; one that nobody knows is refused."""
    fast = axolotl("plugins: [axolotl.integrations.liger.LigerPlugin]\nliger_rope: true")
    assert fast.refused == {}
    assert axolotl("plugins: [mine.OwnPlugin]").refused["plugins"] == "zyc knows nothing of `mine.OwnPlugin`"


@pytest.mark.parametrize(("word", "ours"), [("llama3", "llama3"), ("qwen_25", "qwen"), ("phi_35", "phi3.5")])
def test_a_template_that_zyc_knows_is_the_models(word, ours):
    """A template by name is one of the model; the tokenizer's own needs no word."""
    assert axolotl(f"chat_template: {word}")["models.llama-3-2-1b-instruct.chat_template"] == ours
    assert "models.llama-3-2-1b-instruct.chat_template" not in axolotl("chat_template: tokenizer_default")


def test_a_template_of_ones_own_is_a_file_with_an_end():
    """A Jinja file needs the token that ends a turn; one that stands in the file is refused."""
    more = "chat_template: jinja\nchat_template_jinja: own.jinja\neot_tokens: ['<|end|>']"
    seen = axolotl(more, files={"own.jinja": "{{ messages }}"})
    assert seen["models.llama-3-2-1b-instruct"]["chat_template"] == "own.jinja"
    assert seen["models.llama-3-2-1b-instruct"]["end_of_turn"] == "<|end|>"
    assert "chat_template_jinja" in axolotl(more).refused


def test_a_public_model_without_a_template_is_asked_for_one():
    """Chats cannot be written for a model whose makers have published no template; the help names one that fits."""
    bare = "base_model: mistralai/Mistral-7B-v0.1"
    row = axolotl(bare, without=["base_model"]).row("base_model")
    assert (row.why, row.help) == ("it has no chat template, and the rows are chats", "say one: `--chat-template mistral`")
    seen = axolotl(bare, without=["base_model"], template="mistral")
    assert seen.refused == {}
    assert seen["models.mistral-7b-v0-1.chat_template"] == "mistral"
    texts = axolotl(
        f"{bare}\ndatasets: [{{path: b.jsonl, type: completion}}]", without=["base_model", "datasets", "- path", "type"]
    )
    assert texts.refused == {}


def test_tokens_are_added_to_the_model():
    """New tokens belong to the model; the tokenizer's own stay as they are."""
    seen = axolotl("tokens: ['<|a|>']\nspecial_tokens: {pad_token: '<pad>', additional_special_tokens: ['<|b|>']}")
    assert seen["models.llama-3-2-1b-instruct.add_tokens"] == ["<|a|>", "<|b|>"]
    assert seen.without_effect["special_tokens.pad_token"] == "padding is masked"


def test_a_provider_of_machines_is_no_training():
    """A file that only rents a machine is told key by key, and that there is nothing to train."""
    seen = told("provider: modal\ngpu: h100\nsecrets: [HF_TOKEN]\nvolumes: [{name: x, mount: /y}]", "axolotl")
    assert "never a spec" in seen.without_effect["gpu"]
    assert seen.refused == {"base_model": "it names no model to train"}
