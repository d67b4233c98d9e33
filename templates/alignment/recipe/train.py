# /// script
# requires-python = ">=3.11"
# dependencies = ["accelerate", "datasets", {% if adapter %}"peft", {% endif %}"torch", "transformers", "trl"{% if bitsandbytes %}, "bitsandbytes"{% endif %}{% if liger %}, "liger-kernel"{% endif %}]
# ///
{% if drawn %}
"""Trains a model on answers of its own and what they are worth: in/base and in/data -> out/."""
{% elif method == "reward" %}
"""Trains a model that gives a conversation a number: in/base and in/data -> out/."""
{% else %}
"""Trains a model on which answers are better: in/base and in/data -> out/."""
{% endif %}

import shutil

{% if method != "reward" %}
import answers
{% endif %}
{% if drawn %}
import asking
{% endif %}
import bases
import chats
{% if method == "orpo" %}
import counting
{% endif %}
{% if drawn %}
import drawing
{% endif %}
import moving
{% if not drawn %}
import pairs
{% endif %}
import placing
{% if method != "reward" %}
import prepared
{% endif %}
{% if rehearsal %}
import rehearsing
{% endif %}
{% if drawn %}
import rewarding
{% endif %}
{% if method == "reward" %}
import scorers
{% endif %}
import telling
import torch
{% if not drawn %}
import verdicts
{% endif %}
import watching
{% if adapter %}
from peft import LoraConfig
{% endif %}
{% if drawn %}
from schedules import schedule
{% else %}
from schedules import schedule, steps_of
{% endif %}
{% if method == "reward" %}
from transformers import AutoModelForSequenceClassification as Loader
{% else %}
from transformers import AutoModelForCausalLM as Loader
{% endif %}
from transformers import {% if quantized %}BitsAndBytesConfig, {% endif %}{% if spec.train.early_stop %}EarlyStoppingCallback, {% endif %}set_seed
{% if method == "dpo" %}
from trl import DPOConfig as Config
from trl import DPOTrainer
{% elif method == "kto" %}
from trl import KTOConfig as Config
from trl import KTOTrainer
{% elif method == "reward" %}
from trl import RewardConfig as Config
from trl import RewardTrainer as Trainer
{% elif method == "grpo" %}
from trl import GRPOConfig as Config
from trl import GRPOTrainer
{% elif method == "rloo" %}
from trl import RLOOConfig as Config
from trl import RLOOTrainer
{% else %}
from trl.experimental.orpo import ORPOConfig as Config
from trl.experimental.orpo import ORPOTrainer
{% endif %}

CONTEXT = {{ spec.context }}
BATCH = {{ spec.train.batch }}
SEED = {{ spec.train.seed }}
EPOCHS = {{ epochs }}
STEPS = {{ spec.train.steps }}
{% if drawn %}
GENERATIONS = {{ rollout.generations }}  # answers to each prompt
LONGEST = {{ rollout.max_tokens }}  # tokens of an answer
TOGETHER = {{ rollout.steps }}  # steps that learn from one drawing
ROUNDS = {{ rollout.iterations }}  # times that each drawing is learned from
{% else %}
TESTS = {{ spec.train.tests }}
{% endif %}
{% if spec.engine %}
ENGINE = {{ spec.engine }}  # settings of trl, passed on as they are
{% endif %}
{% if method == "kto" %}
GROUP = {{ group }}  # rows by which one sees how far the model has moved

placed = placing.placed(BATCH, CONTEXT, micro_batch=GROUP)
{% else %}

placed = placing.placed(BATCH, CONTEXT)
{% endif %}
place = placed.settings
computes = placed.computes({{ dtype }})
base = bases.folder("in/base")
set_seed(SEED)
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=CONTEXT, arguments={{ spec.arguments }})

{% if drawn %}
# What it is asked, and what its answers are worth.
train, told = asking.questions(chats.read("in/data", "train"), encoder, CONTEXT - LONGEST)
drawing.enough(told, len(train), BATCH * TOGETHER // GENERATIONS)
held_out = chats.read("in/data", "test")
test = asking.questions(held_out, encoder, CONTEXT - LONGEST)[0] if held_out else train
rewards = rewarding.functions({{ rewards }}, placed)
WEIGHTS = {{ weights }}
{% elif method == "kto" %}
# What it reads: each row as ids, with its verdict.
train, told = pairs.judged(chats.read("in/data", "train"), encoder, SEED, at_once=GROUP)
verdicts.enough(told)
held_out = chats.read("in/data", "test")
test = pairs.judged(held_out, encoder, SEED, at_once=GROUP)[0] if held_out else None
{% else %}
# What it reads: each row as ids, the better answer and the worse one.
train, told = pairs.encoded(chats.read("in/data", "train"), encoder, whole={{ method == "reward" }})
verdicts.enough(told)
held_out = chats.read("in/data", "test")
test = pairs.encoded(held_out, encoder, whole={{ method == "reward" }})[0] if held_out else None
{% endif %}

# What it starts from.
model = Loader.from_pretrained(
    base,
{% if method == "reward" %}
    num_labels=1,
{% endif %}
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
{% if method == "reward" %}
        llm_int8_skip_modules=["score"],
{% endif %}
    ),
    device_map={"": placed.local_rank if placed.device == "cuda" else "cpu"},
{% endif %}
    attn_implementation=place["attention"],
)
{% if quantized %}
bases.unpacked(model)
{% endif %}
{% if method == "reward" %}
model.config.pad_token_id = tokenizer.pad_token_id
{% elif drawn %}
asked = [(text, wanted) for text, wanted in zip(test[: answers.MOST]["rendered"], test[: answers.MOST]["answer"], strict=True)]
answers.keep(model, tokenizer, asked, "before", placed)
before = drawing.kept(model.to(placed.device), tokenizer, test, LONGEST, rewards, WEIGHTS, placed)
{% else %}
asked = answers.questions(held_out, encoder)
answers.keep(model, tokenizer, asked, "before", placed)
{% endif %}
{% if adapter %}

# What it learns: the adapter.
adapter = LoraConfig(
{% if method == "reward" %}
    task_type="SEQ_CLS",
{% else %}
    task_type="CAUSAL_LM",
{% endif %}
    r={{ spec.lora.rank }},
    lora_alpha={{ alpha }},
    lora_dropout={{ spec.lora.dropout }},
    target_modules={{ targets }},
    use_rslora={{ spec.lora.rslora }},
{% if spec.adapter == "dora" %}
    use_dora=True,
{% endif %}
    init_lora_weights={{ init }},
{% if whole %}
    modules_to_save={{ whole }},
{% if method != "reward" %}
    ensure_weight_tying=model.config.tie_word_embeddings,
{% endif %}
{% endif %}
)
{% endif %}

# How it learns.
{% if drawn %}
steps = drawing.steps_of(len(train), BATCH * TOGETHER // GENERATIONS, TOGETHER * ROUNDS, epochs=EPOCHS, steps=STEPS)
{% else %}
steps = steps_of(len(train), BATCH, epochs=EPOCHS, steps=STEPS)
{% endif %}
watch = watching.Watch(
    placed,
    checkpoint_every=place["checkpoint_every"],
    scaled={{ dtype == "fp16" }},
{% if drawn %}
    unit=TOGETHER * ROUNDS,  # within a drawing a run cannot go on exactly
{% endif %}
)
{% if drawn %}


{% if method == "grpo" %}
class Trainer(prepared.Asks, GRPOTrainer):
    """Asks by the base's own template."""
{% else %}
class Trainer(prepared.Asks, RLOOTrainer):
    """Asks by the base's own template."""
{% endif %}


Trainer.encoder = encoder
{% elif method == "dpo" %}


class Trainer(prepared.Rows, DPOTrainer):
    """Takes rows that are ids."""


{% elif method == "kto" %}


class Trainer(prepared.Rows, KTOTrainer):
    """Takes rows that are ids."""


{% elif method == "orpo" %}


class Trainer(counting.Counted, prepared.Rows, ORPOTrainer):
    """Takes rows that are ids."""


{% endif %}
trainer = Trainer(
    model=model,
    args=Config(
        output_dir="state",
        max_steps=steps,
        per_device_train_batch_size=placed.micro_batch,
{% if drawn %}
        per_device_eval_batch_size=GENERATIONS,
{% else %}
        per_device_eval_batch_size=placed.micro_batch,
{% endif %}
        gradient_accumulation_steps=placed.accumulation,
{% if drawn %}
        steps_per_generation=placed.accumulation * TOGETHER,
        num_iterations=ROUNDS,
        num_generations=GENERATIONS,
        max_completion_length=LONGEST,
        temperature={{ rollout.temperature }},
        top_p={{ rollout.top_p }},
        top_k={{ rollout.top_k }},
        reward_weights=WEIGHTS,
{% else %}
        max_length=CONTEXT,
{% endif %}
{% if method != "reward" %}
        beta={{ beta }},
{% endif %}
{% if method == "dpo" %}
        loss_type={{ losses }},
        loss_weights={{ loss_weights }},
{% elif losses %}
        loss_type={{ losses[0] }},
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
{% if not drawn %}
        eval_strategy="steps" if test else "no",
        eval_steps=max(1, -(-steps // TESTS)),
{% endif %}
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
{% if method == "orpo" %}
        remove_unused_columns=False,
{% endif %}
{% if spec.engine %}
        **ENGINE,
{% endif %}
    ),
{% if drawn %}
    reward_funcs=rewards,
    train_dataset=train.remove_columns("rendered"),
{% elif method == "orpo" %}
    train_dataset=pairs.for_orpo(train),
    eval_dataset=pairs.for_orpo(test) if test else None,
{% elif method == "reward" %}
    train_dataset=pairs.for_reward(train),
    eval_dataset=pairs.for_reward(test) if test else None,
{% else %}
    train_dataset=train,
    eval_dataset=test,
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
{% elif whole and adapter %}
bases.train_in(torch.float32, trainer.model)
{% endif %}
{% if converted %}
# An adapter that starts as a part of the layers is kept as what it adds to the layers as they were.
trainer.model.peft_config["default"].init_lora_weights = True
trainer.model.save_pretrained("tmp/start")
{% endif %}

# Before the first step: what would be learned?
{% if drawn %}
seen = drawing.check(told, train, encoder)
{% else %}
seen = verdicts.check(trainer.get_train_dataloader(), train, told, encoder)
{% endif %}
{% if rehearsal %}
before = rehearsing.losses(trainer{% if method == "kto" %}, at_once=2{% endif %})
{% endif %}
watching.run(trainer, watch, placed, {{ dtype }})

# What is kept.
{% if converted %}
if placed.first:
    trainer.model.save_pretrained("tmp/made", path_initial_model_for_weight_conversion="tmp/start")
{% else %}
trainer.save_model("tmp/made")
{% endif %}
{% if method != "reward" %}
answers.keep(trainer.model, tokenizer, asked, "after", placed)
{% endif %}
if placed.first:
    told = watch.measured()
{% if rehearsal %}
    told |= rehearsing.measured(before, rehearsing.losses(trainer{% if method == "kto" %}, at_once=2{% endif %}))
{% endif %}
{% if method == "reward" %}
    if not placed.sharded:
        told |= moving.scores(trainer.model, pairs.for_reward(test or train), tokenizer.pad_token_id)
    scorers.publish("tmp/made", base, adapter={{ adapter }}, dtype={{ dtype }}, pad=tokenizer.pad_token_id)
{% else %}
    if not placed.sharded:
        as_it_was = moving.reference(trainer.model, base, dtype=trainer.model.dtype)
{% if drawn %}
        said = moving.answered(trainer.model, tokenizer, test[: moving.MOST]["rendered"], LONGEST)
        told |= drawing.measured(tokenizer, said, test, rewards, WEIGHTS, before)
        told["kl"] = moving.distance(moving.told(trainer.model, as_it_was, said, tokenizer.pad_token_id))
{% else %}
        told |= moving.preferences(trainer.model, as_it_was, test or train, {{ beta }}, tokenizer.pad_token_id)
{% endif %}
    answers.write(asked)
{% if adapter %}
    bases.publish_adapter("tmp/made", dtype={{ kept }})
{% else %}
    bases.publish_model("tmp/made", base, dtype={{ dtype }})
{% endif %}
{% endif %}
    telling.measure(seen, told)
    shutil.copyfile(telling.HISTORY, "history.jsonl")
