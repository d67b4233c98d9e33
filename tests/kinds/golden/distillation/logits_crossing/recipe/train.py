# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate==1.15.0", "datasets==5.2.0", "torch==2.13.0", "transformers==5.23.0", "trl==1.16.0", "bitsandbytes==0.50.2"]
# ///
"""Trains a student on the probabilities of its teacher: in/student, in/teachers and in/prompts -> out/."""

import shutil

import agreeing
import answers
import bases
import chats
import counting
import matching
import placing
import preflight
import telling
import torch
import watching
import writing
from schedules import schedule, steps_of
from transformers import AutoModelForCausalLM as Loader
from transformers import set_seed
from trl.experimental.gold import GOLDConfig as Config
from trl.experimental.gold import GOLDTrainer

TEACHERS = [
    {"model": "in/teachers/0", "prompts": "in/questions", "weight": 1.0},
]
CONTEXT = 96
BATCH = 8
SEED = 7
EPOCHS = None
STEPS = 8
TESTS = 2
LONGEST = 8  # tokens of an answer
ARGUMENTS = {}

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes("bf16")
base = bases.folder("in/student")
set_seed(SEED)
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, arguments=ARGUMENTS)
how = writing.How(CONTEXT, LONGEST, SEED, ARGUMENTS)

# The teacher, and what it is shown.
teacher = bases.folder(TEACHERS[0]["model"])
teacher_tokenizer = bases.tokenizer(teacher)
matching.must_be_bytes(student=tokenizer, teacher=teacher_tokenizer)
reads = chats.Encoder.of(teacher, teacher_tokenizer, context=CONTEXT, arguments=ARGUMENTS)
train, told = matching.crossed(chats.read(TEACHERS[0]["prompts"], "train"), encoder, reads)
held_out = chats.read(TEACHERS[0]["prompts"], "test")
test = matching.crossed(held_out, encoder, reads)[0] if held_out else None
written = writing.held_out(TEACHERS, placed, how)
held = [writing.encoded(each.test, encoder) for each in written]

# What it starts from.
model = Loader.from_pretrained(
    base,
    dtype=torch.float32,
    attn_implementation=place["attention"],
)
guide = Loader.from_pretrained(teacher, dtype="auto", attn_implementation=place["attention"])
guide = bases.ready(guide, placed)
asked = answers.questions(writing.listed(written), encoder)
answers.keep(model, tokenizer, asked, "before", placed)

# How it learns.
steps = steps_of(len(train), BATCH, epochs=EPOCHS, steps=STEPS)
watch = watching.Watch(placed, checkpoint_every=place["checkpoint_every"], scaled=False)


class Trainer(counting.Counted, matching.Prepared, GOLDTrainer):
    """Takes rows that are ids."""


trainer = Trainer(
    model=model,
    teacher_model=guide,
    args=Config(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=placed.micro_batch,
        gradient_accumulation_steps=placed.accumulation,
        max_length=CONTEXT,
        lmbda=0.0,
        beta=0.5,
        use_uld_loss=True,  # without it, two tokenizers give a loss without a meaning, and no error
        teacher_tokenizer_name_or_path=str(teacher),
        max_completion_length=LONGEST,
        learning_rate=0.01,
        **schedule("cosine", 0.03, steps),
        optim="paged_adamw_8bit",
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
    train_dataset=train,
    eval_dataset=test,
    processing_class=tokenizer,
    callbacks=[
        watch,
    ],
)

# Before the first step: what would be learned?
seen = preflight.check(trainer.get_train_dataloader(), train, told, encoder)
watching.run(trainer, watch, placed, "bf16")

# What is kept.
trainer.save_model("tmp/made")
answers.keep(trainer.model, tokenizer, asked, "after", placed)
if placed.first:
    bases.publish_model("tmp/made", base, dtype="bf16")
    answers.write(asked)
    weights = [each["weight"] for each in TEACHERS]
    agreed = {} if placed.sharded else agreeing.measured(trainer.model, held, weights, tokenizer.pad_token_id)
    telling.measure(seen, watch.measured(), writing.measured(written), agreed)
    shutil.copyfile(telling.HISTORY, "history.jsonl")
