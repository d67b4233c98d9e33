# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate", "datasets", {% if adapter %}"peft", {% endif %}"torch", "transformers", "trl"{% if bitsandbytes %}, "bitsandbytes"{% endif %}{% if liger %}, "liger-kernel"{% endif %}]
# ///
"""Trains a model on the answers of a dataset: in/base and in/data -> out/."""

import shutil

import answers
import bases
import chats
import placing
import preflight
{% if rehearsal %}
import rehearsing
{% endif %}
import telling
import torch
import watching
{% if adapter %}
from peft import LoraConfig
{% endif %}
from schedules import schedule, steps_of
from transformers import AutoModelForCausalLM{% if quantized %}, BitsAndBytesConfig{% endif %}{% if spec.train.early_stop %}, EarlyStoppingCallback{% endif %}, set_seed
from trl import SFTConfig, SFTTrainer

CONTEXT = {{ spec.context }}
BATCH = {{ spec.train.batch }}
SEED = {{ spec.train.seed }}
EPOCHS = {{ epochs }}
STEPS = {{ spec.train.steps }}
TESTS = {{ spec.train.tests }}
PRECISION = {{ spec.train.precision }}
{% if spec.engine %}
ENGINE = {{ spec.engine }}  # settings of SFTConfig, passed on as they are
{% endif %}

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes(PRECISION)
base = bases.folder("in/base")
set_seed(SEED)

# What it reads: each row as ids, and which of them it learns.
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, loss_on={{ spec.loss_on }}, arguments={{ spec.arguments }})
train, told = chats.encoded(chats.read("in/data", "train"), encoder)
{% if not spec.packing %}
placed = placed.fitting(told["longest"])
{% endif %}
held_out = chats.read("in/data", "test")
test = chats.encoded(held_out, encoder)[0] if held_out else None

# What it starts from.
model = AutoModelForCausalLM.from_pretrained(
    base,
{% if adapter %}
    dtype=computes,
{% else %}
    dtype=torch.float32,
{% endif %}
{% if quantized %}
    quantization_config=BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computes,
    ),
    device_map={"": placed.local_rank if placed.device == "cuda" else "cpu"},
{% endif %}
    attn_implementation=place["attention"],
)
{% if quantized %}
bases.unpacked(model)
{% endif %}
asked = answers.questions(held_out, encoder)
answers.keep(model, tokenizer, asked, "before", placed)
{% if adapter %}

# What it learns: the adapter.
adapter = LoraConfig(
    task_type="CAUSAL_LM",
    r={{ spec.lora.rank }},
    lora_alpha={{ alpha }},
    lora_dropout={{ spec.lora.dropout }},
    target_modules={{ targets }},
    use_rslora={{ spec.lora.rslora }},
{% if spec.method == "dora" %}
    use_dora=True,
{% endif %}
    init_lora_weights={{ init }},
{% if spec.lora.modules_to_save %}
    modules_to_save={{ spec.lora.modules_to_save }},
    ensure_weight_tying=model.config.tie_word_embeddings,
{% endif %}
)
{% endif %}

# How it learns.
{% if spec.packing %}
steps = steps_of(preflight.packed(train, CONTEXT), BATCH, epochs=EPOCHS, steps=STEPS)
{% else %}
steps = steps_of(len(train), BATCH, epochs=EPOCHS, steps=STEPS)
{% endif %}
watch = watching.Watch(placed, checkpoint_every=place["checkpoint_every"], scaled={{ dtype == "fp16" }})
trainer = SFTTrainer(
    model=model,
    args=SFTConfig(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=placed.micro_batch,
        gradient_accumulation_steps=placed.accumulation,
        max_length=CONTEXT,
        packing={{ spec.packing }},
        learning_rate={{ learning_rate }},
        **schedule({{ spec.train.schedule }}, {{ spec.train.warmup }}, steps),
        optim={{ optimizer }},
        adam_beta1={{ spec.train.betas[0] }},
        adam_beta2={{ spec.train.betas[1] }},
        weight_decay={{ spec.train.weight_decay }},
        max_grad_norm={{ spec.train.clip }},
        bf16=computes == torch.bfloat16,
        fp16=computes == torch.float16,
        seed=SEED,
        data_seed=SEED,
        eval_strategy="steps" if test else "no",
        eval_steps=max(1, -(-steps // TESTS)),
{% if spec.train.early_stop %}
        save_strategy="best",
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
{% else %}
        save_strategy="no",  # checkpoints are kept by what watches, which knows when one is whole
{% endif %}
        logging_steps=1,
        logging_nan_inf_filter=False,
        activation_checkpointing=place["activation_checkpointing"],
        torch_compile=place["compile"],
        dataloader_num_workers=place["workers"],
        use_cpu=placed.device == "cpu",
        report_to=placed.trackers,
        project=placed.project,
        disable_tqdm=True,
{% if spec.engine %}
        **ENGINE,
{% endif %}
    ),
    train_dataset=train.select_columns(["input_ids", "labels"]),
    eval_dataset=test.select_columns(["input_ids", "labels"]) if test else None,
    processing_class=tokenizer,
{% if adapter %}
    peft_config=adapter,
{% endif %}
    callbacks=[
        watch,
{% if spec.train.early_stop %}
        EarlyStoppingCallback({{ spec.train.early_stop.patience }}, {{ spec.train.early_stop.least }}),
{% endif %}
    ],
)
{% if quantized %}
bases.train_in(computes, trainer.model)
{% elif spec.lora.modules_to_save and adapter %}
bases.train_in(torch.float32, trainer.model)
{% endif %}
{% if converted %}
# An adapter that starts as a part of the layers is kept as what it adds to the layers as they were.
trainer.model.peft_config["default"].init_lora_weights = True
trainer.model.save_pretrained("tmp/start")
{% endif %}

# Before the first step: what would be learned?
seen = preflight.check(trainer.get_train_dataloader(), train, told, encoder)
{% if rehearsal %}
before = rehearsing.losses(trainer{% if spec.packing %}, packed=(train, test){% endif %})
{% endif %}
watching.run(trainer, watch, placed, PRECISION)

# What is kept.
{% if converted %}
if placed.first:
    trainer.model.save_pretrained("tmp/made", path_initial_model_for_weight_conversion="tmp/start")
{% else %}
trainer.save_model("tmp/made")
{% endif %}
answers.keep(trainer.model, tokenizer, asked, "after", placed)
if placed.first:
{% if adapter %}
    bases.publish_adapter("tmp/made", dtype={{ kept }})
{% else %}
    bases.publish_model("tmp/made", base, dtype={{ dtype }})
{% endif %}
    answers.write(asked)
{% if rehearsal %}
    learned = rehearsing.measured(before, rehearsing.losses(trainer{% if spec.packing %}, packed=(train, test){% endif %}))
    telling.measure(seen, watch.measured(), learned)
{% else %}
    telling.measure(seen, watch.measured())
{% endif %}
    shutil.copyfile(telling.HISTORY, "history.jsonl")
