# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate==1.15.0", "datasets==5.2.0", "peft==0.21.2", "torch==2.13.0", "transformers==5.23.0", "trl==1.16.0", "bitsandbytes==0.50.2"]
# ///
"""Trains a model on answers of its own and what they are worth: in/base and in/data -> out/."""

import shutil

import answers
import asking
import bases
import chats
import drawing
import moving
import placing
import prepared
import rewarding
import telling
import torch
import watching
from peft import LoraConfig
from schedules import schedule
from transformers import AutoModelForCausalLM as Loader
from transformers import BitsAndBytesConfig, set_seed
from trl import GRPOConfig as Config
from trl import GRPOTrainer

CONTEXT = 512
BATCH = 8
SEED = 0
EPOCHS = None
STEPS = 20
GENERATIONS = 4  # answers to each prompt
LONGEST = 24  # tokens of an answer
TOGETHER = 1  # steps that learn from one drawing
ROUNDS = 1  # times that each drawing is learned from

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes("bf16")
base = bases.folder("in/base")
set_seed(SEED)
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, arguments={})

# What it is asked, and what its answers are worth.
train, told = asking.questions(chats.read("in/data", "train"), encoder, CONTEXT - LONGEST)
drawing.enough(told, len(train), BATCH * TOGETHER // GENERATIONS)
held_out = chats.read("in/data", "test")
test = asking.questions(held_out, encoder, CONTEXT - LONGEST)[0] if held_out else train
rewards = rewarding.functions([{"file": "reward_0.py", "function": "reward"}], placed)
WEIGHTS = [1.0]

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
asked = [(text, wanted) for text, wanted in zip(test[: answers.MOST]["rendered"], test[: answers.MOST]["answer"], strict=True)]
answers.keep(model, tokenizer, asked, "before", placed)
before = drawing.kept(model.to(placed.device), tokenizer, test, LONGEST, rewards, WEIGHTS, placed)

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
steps = drawing.steps_of(len(train), BATCH * TOGETHER // GENERATIONS, TOGETHER * ROUNDS, epochs=EPOCHS, steps=STEPS)
watch = watching.Watch(
    placed,
    checkpoint_every=place["checkpoint_every"],
    scaled=False,
    unit=TOGETHER * ROUNDS,  # within a drawing a run cannot go on exactly
)


class Trainer(prepared.Asks, GRPOTrainer):
    """Asks by the base's own template."""


Trainer.encoder = encoder
trainer = Trainer(
    model=model,
    args=Config(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=GENERATIONS,
        gradient_accumulation_steps=placed.accumulation,
        steps_per_generation=placed.accumulation * TOGETHER,
        num_iterations=ROUNDS,
        num_generations=GENERATIONS,
        max_completion_length=LONGEST,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        reward_weights=WEIGHTS,
        beta=0.0,
        loss_type="dapo",
        learning_rate=0.001,
        **schedule("cosine", 0.05, steps),
        optim="adamw_torch_fused",
        adam_beta1=0.9,
        adam_beta2=0.999,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=computes == torch.bfloat16,
        fp16=computes == torch.float16,
        seed=SEED,
        data_seed=SEED,
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
    reward_funcs=rewards,
    train_dataset=train.remove_columns("rendered"),
    processing_class=tokenizer,
    peft_config=adapter,
    callbacks=[
        watch,
    ],
)
bases.train_in(computes, trainer.model)

# Before the first step: what would be learned?
seen = drawing.check(told, train, encoder)
watching.run(trainer, watch, placed, "bf16")

# What is kept.
trainer.save_model("tmp/made")
answers.keep(trainer.model, tokenizer, asked, "after", placed)
if placed.first:
    told = watch.measured()
    if not placed.sharded:
        as_it_was = moving.reference(trainer.model, base, dtype=trainer.model.dtype)
        said = moving.answered(trainer.model, tokenizer, test[: moving.MOST]["rendered"], LONGEST)
        told |= drawing.measured(tokenizer, said, test, rewards, WEIGHTS, before)
        told["kl"] = moving.distance(moving.told(trainer.model, as_it_was, said, tokenizer.pad_token_id))
    answers.write(asked)
    bases.publish_adapter("tmp/made", dtype="bf16")
    telling.measure(seen, told)
    shutil.copyfile(telling.HISTORY, "history.jsonl")
