# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate==1.15.0", "datasets==5.2.0", "peft==0.21.2", "torch==2.13.0", "transformers==5.23.0", "trl==1.16.0", "bitsandbytes==0.50.2"]
# ///
"""Trains a model on the answers of a dataset: in/base and in/data -> out/."""

import shutil

import answers
import bases
import chats
import placing
import preflight
import rehearsing
import telling
import torch
import watching
from peft import LoraConfig
from schedules import schedule, steps_of
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, set_seed
from trl import SFTConfig, SFTTrainer

CONTEXT = 96
BATCH = 16
SEED = 0
EPOCHS = None
STEPS = 200
TESTS = 4
PRECISION = "bf16"

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes(PRECISION)
base = bases.folder("in/base")
set_seed(SEED)

# What it reads: each row as ids, and which of them it learns.
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, loss_on="assistant", arguments={})
train, told = chats.encoded(chats.read("in/data", "train"), encoder)
held_out = chats.read("in/data", "test")
test = chats.encoded(held_out, encoder)[0] if held_out else None

# What it starts from.
model = AutoModelForCausalLM.from_pretrained(
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
    r=64,
    lora_alpha=128,
    lora_dropout=0.0,
    target_modules="all-linear",
    use_rslora=False,
    init_lora_weights=True,
)

# How it learns.
steps = steps_of(preflight.packed(train, CONTEXT), BATCH, epochs=EPOCHS, steps=STEPS)
watch = watching.Watch(placed, checkpoint_every=place["checkpoint_every"], scaled=False)
trainer = SFTTrainer(
    model=model,
    args=SFTConfig(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=placed.micro_batch,
        gradient_accumulation_steps=placed.accumulation,
        max_length=CONTEXT,
        packing=True,
        learning_rate=0.002,
        **schedule("cosine", 0.05, steps),
        optim="adamw_torch_fused",
        adam_beta1=0.9,
        adam_beta2=0.98,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=computes == torch.bfloat16,
        fp16=computes == torch.float16,
        seed=SEED,
        data_seed=SEED,
        eval_strategy="steps" if test else "no",
        eval_steps=max(1, -(-steps // TESTS)),
        save_strategy="no",  # checkpoints are kept by what watches, which knows when one is whole
        logging_steps=1,
        logging_nan_inf_filter=False,
        activation_checkpointing=place["activation_checkpointing"],
        torch_compile=place["compile"],
        dataloader_num_workers=place["workers"],
        use_cpu=placed.device == "cpu",
        report_to=placed.trackers,
        project=placed.project,
        disable_tqdm=True,
    ),
    train_dataset=train.select_columns(["input_ids", "labels"]),
    eval_dataset=test.select_columns(["input_ids", "labels"]) if test else None,
    processing_class=tokenizer,
    peft_config=adapter,
    callbacks=[
        watch,
    ],
)
bases.train_in(computes, trainer.model)

# Before the first step: what would be learned?
seen = preflight.check(trainer.get_train_dataloader(), train, told, encoder)
before = rehearsing.losses(trainer, packed=(train, test))
watching.run(trainer, watch, placed, PRECISION)

# What is kept.
trainer.save_model("tmp/made")
answers.keep(trainer.model, tokenizer, asked, "after", placed)
if placed.first:
    bases.publish_adapter("tmp/made", dtype="bf16")
    answers.write(asked)
    learned = rehearsing.measured(before, rehearsing.losses(trainer, packed=(train, test)))
    telling.measure(seen, watch.measured(), learned)
    shutil.copyfile(telling.HISTORY, "history.jsonl")
