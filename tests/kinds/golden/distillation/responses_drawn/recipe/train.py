# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate==1.15.0", "datasets==5.2.0", "peft==0.21.2", "torch==2.13.0", "transformers==5.23.0", "trl==1.16.0", "bitsandbytes==0.50.2"]
# ///
"""Trains a student on what its teachers answer: in/student, in/teachers and their prompts -> out/."""

import shutil

import agreeing
import answers
import bases
import chats
import placing
import preflight
import telling
import torch
import watching
import writing
from peft import LoraConfig
from schedules import schedule, steps_of
from transformers import AutoModelForCausalLM as Loader
from transformers import BitsAndBytesConfig, EarlyStoppingCallback, set_seed
from trl import SFTConfig as Config
from trl import SFTTrainer as Trainer

TEACHERS = [
    {"model": "in/teachers/0", "prompts": "in/questions", "weight": 1.0},
]
CONTEXT = 512
BATCH = 16
SEED = 0
EPOCHS = 2.0
STEPS = None
TESTS = 4
LONGEST = 64  # tokens of an answer
ARGUMENTS = {}
ENGINE = {"neftune_noise_alpha": 5}  # settings of trl, passed on as they are

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes("bf16")
base = bases.folder("in/student")
set_seed(SEED)
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, arguments=ARGUMENTS)
how = writing.How(CONTEXT, LONGEST, SEED, ARGUMENTS, temperature=0.7, top_p=0.9)

# What the teachers say, and how the student reads it.
written, learned = writing.all_written(TEACHERS, placed, how)
train, told = chats.encoded(learned, encoder)
held = [writing.encoded(each.test, encoder) for each in written]
test = writing.together(held)

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
asked = answers.questions(writing.listed(written), encoder)
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
watch = watching.Watch(placed, checkpoint_every=place["checkpoint_every"], scaled=False)
trainer = Trainer(
    model=model,
    args=Config(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=placed.micro_batch,
        gradient_accumulation_steps=placed.accumulation,
        max_length=CONTEXT,
        learning_rate=0.0002,
        **schedule("constant", 0.03, steps),
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
    train_dataset=train.select_columns(["input_ids", "labels"]),
    eval_dataset=test.select_columns(["input_ids", "labels"]) if test else None,
    processing_class=tokenizer,
    peft_config=adapter,
    callbacks=[
        watch,
        EarlyStoppingCallback(2, 0.0),
    ],
)
bases.train_in(computes, trainer.model)

# Before the first step: what would be learned?
seen = preflight.check(trainer.get_train_dataloader(), train, told, encoder)
watching.run(trainer, watch, placed, "bf16")

# What is kept.
trainer.save_model("tmp/made")
answers.keep(trainer.model, tokenizer, asked, "after", placed)
if placed.first:
    bases.publish_adapter("tmp/made", dtype="bf16")
    answers.write(asked)
    weights = [each["weight"] for each in TEACHERS]
    agreed = {} if placed.sharded else agreeing.measured(trainer.model, held, weights, tokenizer.pad_token_id)
    telling.measure(seen, watch.measured(), writing.measured(written), agreed)
    shutil.copyfile(telling.HISTORY, "history.jsonl")
