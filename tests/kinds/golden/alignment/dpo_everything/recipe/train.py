# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate==1.15.0", "datasets==5.2.0", "peft==0.21.2", "torch==2.13.0", "transformers==5.23.0", "trl==1.16.0", "bitsandbytes==0.50.2"]
# ///
"""Trains a model on which answers are better: in/base and in/data -> out/."""

import shutil

import answers
import bases
import chats
import moving
import pairs
import placing
import prepared
import telling
import torch
import verdicts
import watching
from peft import LoraConfig
from schedules import schedule, steps_of
from transformers import AutoModelForCausalLM as Loader
from transformers import BitsAndBytesConfig, EarlyStoppingCallback, set_seed
from trl import DPOConfig as Config
from trl import DPOTrainer

CONTEXT = 96
BATCH = 32
SEED = 0
EPOCHS = 2.0
STEPS = None
TESTS = 4
ENGINE = {"label_smoothing": 0.1}  # settings of trl, passed on as they are

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes("bf16")
base = bases.folder("in/base")
set_seed(SEED)
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, arguments={})

# What it reads: each row as ids, the better answer and the worse one.
train, told = pairs.encoded(chats.read("in/data", "train"), encoder, whole=False)
verdicts.enough(told)
held_out = chats.read("in/data", "test")
test = pairs.encoded(held_out, encoder, whole=False)[0] if held_out else None

# What it starts from.
model = Loader.from_pretrained(
    base,
    dtype=computes,
    quantization_config=BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=computes,
    ),
    device_map={"": placed.local_rank if placed.device == "cuda" else "cpu"},
    attn_implementation=place["attention"],
)
bases.unpacked(model)
asked = answers.questions(held_out, encoder)
answers.keep(model, tokenizer, asked, "before", placed)

# What it learns: the adapter.
adapter = LoraConfig(
    task_type="CAUSAL_LM",
    r=16,
    lora_alpha=32,
    lora_dropout=0.0,
    target_modules="all-linear",
    use_rslora=False,
    init_lora_weights=True,
)

# How it learns.
steps = steps_of(len(train), BATCH, epochs=EPOCHS, steps=STEPS)
watch = watching.Watch(
    placed,
    checkpoint_every=place["checkpoint_every"],
    scaled=False,
)


class Trainer(prepared.Rows, DPOTrainer):
    """Takes rows that are ids."""


trainer = Trainer(
    model=model,
    args=Config(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=placed.micro_batch,
        gradient_accumulation_steps=placed.accumulation,
        max_length=CONTEXT,
        beta=0.3,
        loss_type=["sigmoid", "sft"],
        loss_weights=[1.0, 0.1],
        learning_rate=1e-05,
        **schedule("wsd", 0.03, steps),
        optim="adamw_torch_fused",
        adam_beta1=0.9,
        adam_beta2=0.999,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=computes == torch.bfloat16,
        fp16=computes == torch.float16,
        seed=SEED,
        data_seed=SEED,
        eval_strategy="steps" if test else "no",
        eval_steps=max(1, -(-steps // TESTS)),
        save_strategy="best",
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        logging_steps=1,
        logging_nan_inf_filter=False,
        activation_checkpointing=place["activation_checkpointing"],
        torch_compile=place["compile"],
        dataloader_num_workers=place["workers"],
        use_cpu=placed.device == "cpu",
        report_to=placed.trackers,
        project=placed.project,
        disable_tqdm=True,
        **ENGINE,
    ),
    train_dataset=train,
    eval_dataset=test,
    processing_class=tokenizer,
    peft_config=adapter,
    callbacks=[
        watch,
        EarlyStoppingCallback(2, 0.0),
    ],
)
bases.train_in(computes, trainer.model)

# Before the first step: what would be learned?
seen = verdicts.check(trainer.get_train_dataloader(), train, told, encoder)
watching.run(trainer, watch, placed, "bf16")

# What is kept.
trainer.save_model("tmp/made")
answers.keep(trainer.model, tokenizer, asked, "after", placed)
if placed.first:
    told = watch.measured()
    if not placed.sharded:
        as_it_was = moving.reference(trainer.model, base, dtype=trainer.model.dtype)
        told |= moving.preferences(trainer.model, as_it_was, test or train, 0.3, tokenizer.pad_token_id)
    answers.write(asked)
    bases.publish_adapter("tmp/made", dtype="bf16")
    telling.measure(seen, told)
    shutil.copyfile(telling.HISTORY, "history.jsonl")
