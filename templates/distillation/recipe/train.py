# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate", "datasets", {% if adapter %}"peft", {% endif %}"torch", "transformers", "trl"{% if bitsandbytes %}, "bitsandbytes"{% endif %}{% if liger %}, "liger-kernel"{% endif %}]
# ///
{% if responses %}
"""Trains a student on what its teachers answer: in/student, in/teachers and their prompts -> out/."""
{% else %}
"""Trains a student on the probabilities of its teacher: in/student, in/teachers and in/prompts -> out/."""
{% endif %}

import shutil

import agreeing
import answers
import bases
import chats
{% if not responses %}
import counting
import matching
{% endif %}
import placing
import preflight
{% if rehearsal %}
import rehearsing
{% endif %}
import telling
import torch
import watching
import writing
{% if adapter %}
from peft import LoraConfig
{% endif %}
from schedules import schedule, steps_of
from transformers import AutoModelForCausalLM as Loader
from transformers import {% if quantized %}BitsAndBytesConfig, {% endif %}{% if spec.train.early_stop %}EarlyStoppingCallback, {% endif %}set_seed
{% if responses %}
from trl import SFTConfig as Config
from trl import SFTTrainer as Trainer
{% elif crossing %}
from trl.experimental.gold import GOLDConfig as Config
from trl.experimental.gold import GOLDTrainer
{% else %}
from trl.experimental.gkd import GKDConfig as Config
from trl.experimental.gkd import GKDTrainer
{% endif %}

TEACHERS = [
{% for each in teachers %}
    {"model": {{ each.model }}, "prompts": {{ each.prompts }}, "weight": {{ each.weight }}},
{% endfor %}
]
CONTEXT = {{ spec.context }}
BATCH = {{ spec.train.batch }}
SEED = {{ spec.train.seed }}
EPOCHS = {{ epochs }}
STEPS = {{ spec.train.steps }}
TESTS = {{ spec.train.tests }}
LONGEST = {{ answers.max_tokens }}  # tokens of an answer
ARGUMENTS = {{ spec.arguments }}
{% if spec.engine %}
ENGINE = {{ spec.engine }}  # settings of trl, passed on as they are
{% endif %}

placed = placing.placed(BATCH, CONTEXT)
place = placed.settings
computes = placed.computes({{ dtype }})
base = bases.folder("in/student")
set_seed(SEED)
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, arguments=ARGUMENTS)
{% if responses %}
how = writing.How(CONTEXT, LONGEST, SEED, ARGUMENTS, temperature={{ answers.temperature }}, top_p={{ answers.top_p }})
{% else %}
how = writing.How(CONTEXT, LONGEST, SEED, ARGUMENTS)
{% endif %}

{% if responses %}
# What the teachers say, and how the student reads it.
written, learned = writing.all_written(TEACHERS, placed, how)
train, told = chats.encoded(learned, encoder)
{% else %}
# The teacher, and what it is shown.
teacher = bases.folder(TEACHERS[0]["model"])
teacher_tokenizer = bases.tokenizer(teacher)
{% if crossing %}
matching.must_be_bytes(student=tokenizer, teacher=teacher_tokenizer)
reads = chats.Encoder.of(teacher, teacher_tokenizer, context=CONTEXT, arguments=ARGUMENTS)
train, told = matching.crossed(chats.read(TEACHERS[0]["prompts"], "train"), encoder, reads)
held_out = chats.read(TEACHERS[0]["prompts"], "test")
test = matching.crossed(held_out, encoder, reads)[0] if held_out else None
{% else %}
matching.must_be_one(tokenizer, teacher_tokenizer)
train, told = chats.encoded(chats.read(TEACHERS[0]["prompts"], "train"), encoder)
held_out = chats.read(TEACHERS[0]["prompts"], "test")
test = chats.encoded(held_out, encoder)[0] if held_out else None
{% endif %}
written = writing.held_out(TEACHERS, placed, how)
{% endif %}
held = [writing.encoded(each.test, encoder) for each in written]
{% if responses %}
test = writing.together(held)
{% endif %}

# What it starts from.
model = Loader.from_pretrained(
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
{% if not responses %}
guide = Loader.from_pretrained(teacher, dtype="auto", attn_implementation=place["attention"])
guide = bases.ready(guide, placed)
{% if not crossing %}
guide = matching.fit(guide, model)
{% endif %}
{% endif %}
asked = answers.questions(writing.listed(written), encoder)
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
steps = steps_of(len(train), BATCH, epochs=EPOCHS, steps=STEPS)
watch = watching.Watch(placed, checkpoint_every=place["checkpoint_every"], scaled={{ dtype == "fp16" }})
{% if not responses %}


{% if crossing %}
class Trainer(counting.Counted, matching.Prepared, GOLDTrainer):
    """Takes rows that are ids."""
{% else %}
class Trainer(counting.Counted, GKDTrainer):
    """Takes rows that are ids."""
{% endif %}


{% endif %}
trainer = Trainer(
    model=model,
{% if not responses %}
    teacher_model=guide,
{% endif %}
    args=Config(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
        per_device_eval_batch_size=placed.micro_batch,
        gradient_accumulation_steps=placed.accumulation,
        max_length=CONTEXT,
{% if not responses %}
        lmbda={{ spec.on_policy }},
        beta={{ beta }},
{% if crossing %}
        use_uld_loss=True,  # without it, two tokenizers give a loss without a meaning, and no error
        teacher_tokenizer_name_or_path=str(teacher),
        max_completion_length=LONGEST,
{% else %}
        max_new_tokens=LONGEST,
        temperature={{ answers.temperature or 1.0 }},
{% endif %}
{% endif %}
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
{% if crossing %}
    train_dataset=train,
    eval_dataset=test,
{% else %}
    train_dataset=train.select_columns(["input_ids", "labels"]),
    eval_dataset=test.select_columns(["input_ids", "labels"]) if test else None,
{% endif %}
{% if not responses and not crossing %}
    data_collator=matching.Beside(tokenizer.pad_token_id),
{% endif %}
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
before = rehearsing.losses(trainer)
{% endif %}
watching.run(trainer, watch, placed, {{ dtype }})

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
    weights = [each["weight"] for each in TEACHERS]
    agreed = {} if placed.sharded else agreeing.measured(trainer.model, held, weights, tokenizer.pad_token_id)
{% if rehearsal %}
    learned = rehearsing.measured(before, rehearsing.losses(trainer))
    telling.measure(seen, watch.measured(), writing.measured(written), agreed, learned)
{% else %}
    telling.measure(seen, watch.measured(), writing.measured(written), agreed)
{% endif %}
    shutil.copyfile(telling.HISTORY, "history.jsonl")
