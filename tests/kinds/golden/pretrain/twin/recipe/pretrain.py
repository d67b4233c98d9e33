# /// script
# requires-python = ">=3.11"
# dependencies = ["datasets==5.2.0", "numpy==2.4.6", "safetensors==0.8.0", "torch==2.13.0", "transformers==5.23.0"]
# ///
"""Trains all weights of a model on a mix of datasets: in/model and in/data -> out/."""

import math
import shutil
import time
from pathlib import Path

import bases
import chats
import failing
import keeping
import peaks
import placing
import rehearsing
import states
import telling
import tokens
import torch
import torch.nn.functional as F
import trackers
from mixing import Ahead, Mix, filled, padded
from schedules import factor
from transformers import AutoModelForCausalLM, set_seed

CONTEXT = 128
ROWS = 8  # of a step
STEPS = 200
PACKED = True
WEIGHTS = [1.0]
SEED = 0
LEARNING_RATE = 0.0015
SCHEDULE = "cosine"
WARMUP = 0.05
BETAS = [0.9, 0.98]
WEIGHT_DECAY = 0.1
CLIP = 1.0
TESTS = 4
PRECISION = "bf16"

placed = placing.placed(ROWS, CONTEXT)
place = placed.settings
dtype = placed.computes(PRECISION)
sharding, compiled = place["sharding"], place["compile"]
set_seed(SEED)

# What it reads: every dataset as one long row of ids on the disk, and a part of it that is held out.
base = bases.folder("in/model")
tokenizer = bases.tokenizer(base)
encoder = chats.Encoder.of(base, tokenizer, context=10**9, loss_on="all")
placing.together(placed)
with placing.first_alone(placed):
    train, test = [], []
    for at in range(len(WEIGHTS)):
        rows, held_out = (chats.read(f"in/data/{at}", split) for split in ("train", "test"))
        train.append(tokens.write(f"train-{at}", rows, encoder, len(tokenizer), packed=PACKED))
        if held_out:
            test.append(tokens.write(f"test-{at}", held_out, encoder, len(tokenizer), packed=PACKED, most=tokens.TESTED))
mix = Mix(train, WEIGHTS, rows=ROWS, context=CONTEXT, seed=SEED, packed=PACKED)
for each, size, weight in zip(train, mix.sizes, WEIGHTS, strict=True):
    print(f"{weight:.1%} of {each.told['examples']:,} examples, {each.told['tokens']:,} tokens, {size:,} rows; {each.share:.1%} learned")

# What it starts from: single precision, computed in what the spec says.
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation=place["attention"]).to(placed.device)
model.config.use_cache = False
if place["activation_checkpointing"]:
    model.activation_checkpointing_enable()
model.train()
costs = peaks.operations(model, CONTEXT)
plain, model = model, states.share(model, placed, sharding)

# How it learns: matrices shrink, vectors do not.
matrices = [each for each in plain.parameters() if each.dim() >= 2]
vectors = [each for each in plain.parameters() if each.dim() < 2]
groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, fused=True)
scaler = torch.amp.GradScaler(placed.device, enabled=dtype == torch.float16)


def rows_of(step):
    """What this process reads in a step."""
    return [mix.row(*each) for each in mix.places(step)[placed.rank :: placed.world]]


def pieces(rows, most):
    """Rows in pieces that go through the model at once, as tensors."""
    for at in range(0, len(rows), most):
        ids, targets = padded(rows[at : at + most], fill=tokenizer.pad_token_id, to=CONTEXT if compiled or PACKED else None)
        yield torch.from_numpy(ids).to(placed.device), torch.from_numpy(targets).to(placed.device)


def loss_of(ids, targets):
    """The sum of the losses of all tokens that are learned."""
    with torch.autocast(placed.device, dtype=dtype, enabled=dtype != torch.float32):
        logits = model(input_ids=ids).logits
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=chats.UNTRAINED, reduction="sum")


if compiled:
    loss_of = torch.compile(loss_of)  # the loss with the model: logits are never kept in single precision


@torch.no_grad()
def tested():
    """Loss in nats a token and in bits a byte of the text, over all that is held out and foretold."""
    model.eval()
    nats = count = size = 0
    for each in test:
        every = range(each.windows(CONTEXT, rest=True) if PACKED else len(each.ends))
        rows = [each.window(at, CONTEXT) if PACKED else each.example(at, CONTEXT) for at in every]
        rows = filled(rows, placed.world)[placed.rank :: placed.world]
        for ids, targets in pieces(rows, placed.micro_batch):
            nats += loss_of(ids, targets).item()
            count += (targets != chats.UNTRAINED).sum().item()
        size += each.told["bytes"]
    model.train()
    nats, count = placing.summed(placed, nats, count)
    return nats / max(1, count), nats / math.log(2) / max(1, size)


@torch.no_grad()
def losses():
    """What each of the first rows costs, of what is learned and of what is held out."""
    model.eval()
    learned = [mix.row(*each) for step in range(min(STEPS, rehearsing.ROWS)) for each in mix.places(step)]
    held_out = []
    for each in test:
        every = range(min(rehearsing.ROWS, each.windows(rehearsing.WINDOW) if PACKED else len(each.ends)))
        held_out += [each.window(at, rehearsing.WINDOW) if PACKED else each.example(at, CONTEXT) for at in every]
    told = {}
    for split, rows in (("train", learned), ("test", held_out)):
        rows = [row for row in rows if (row[1] != chats.UNTRAINED).any()]
        rows = rows[:: -(-len(rows) // rehearsing.ROWS)] if rows else []
        told[split] = [(loss_of(*each) / (each[1] != chats.UNTRAINED).sum()).item() for each in pieces(rows, 1)]
    model.train()
    return {split: each for split, each in told.items() if each}


before = losses()
# From the newest whole checkpoint, if there is one.
kept = keeping.newest()
step = states.load(kept, model, optimizer, scaler) if kept else 0
if placed.first:
    telling.rewind(step)
    moved = keeping.same_placement(placed.here(dtype))
    print(placed.words(dtype, PRECISION), *([f"goes on from {kept}"] if kept else []), *([moved] if moved else []), sep="\n")
every, kept_at = place["checkpoint_every"] or max(1, STEPS // 20), time.monotonic()
ahead = Ahead(rows_of, STEPS, place["workers"])
watchers = trackers.opened(placed)
asked, pace = failing.Asked(), telling.Pace(STEPS, step)
asked.listen()

with failing.told(lambda: keeping.newest(say=lambda _: None)):
    while step < STEPS:
        rows = ahead.rows(step)
        learned = sum(int((targets != chats.UNTRAINED).sum()) for _, targets in rows)
        (learned,) = placing.summed(placed, learned)
        rate = LEARNING_RATE * factor(SCHEDULE, WARMUP, step, STEPS)
        for group in optimizer.param_groups:
            group["lr"] = rate

        # Every piece adds its part of the gradient; processes speak to each other at the last one only.
        loss = torch.zeros((), device=placed.device)
        batch = list(pieces(rows, placed.micro_batch))
        for at, (ids, targets) in enumerate(batch):
            with placing.quiet(placed, model, at + 1 < len(batch)):
                part = loss_of(ids, targets) / max(1, learned)
                scaler.scale(part * placed.world).backward()
            loss += part.detach()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), CLIP or math.inf)
        (value,) = placing.summed(placed, loss.item())
        if failing.is_no_number(value) or (not scaler.is_enabled() and failing.is_no_number(float(norm))):
            raise SystemExit(failing.no_number("loss or gradient", value, step + 1, STEPS, keeping.newest(say=lambda _: None)))
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        step += 1

        # What it says of itself, and what it keeps.
        pace.step(step, sum(len(ids) for ids, _ in rows) * placed.world)
        if placed.first:
            speed = round(pace.rate, 1)
            telling.event(step=step, of=STEPS, loss=value, tokens_per_second=speed, eta=pace.eta)
            telling.note(step=step, loss=value, learning_rate=rate, grad_norm=float(norm), tokens_per_second=speed)
            trackers.tell(watchers, step, loss=value, learning_rate=rate, tokens_per_second=speed)
            telling.line(step, STEPS, value, pace, max(1, STEPS // telling.LINES))
        if test and (step % max(1, -(-STEPS // TESTS)) == 0 or step == STEPS):
            nats, bits = tested()
            if placed.first:
                telling.note(step=step, test_loss=nats, bits_per_byte=bits)
                trackers.tell(watchers, step, test_loss=nats, bits_per_byte=bits)
                print(f"step {step:,}  test loss {nats:.4f}  {bits:.4f} bits a byte")
        stop = asked.agreed(placed.world)
        worth = place["checkpoint_every"] or placed.world > 1 or time.monotonic() - kept_at > keeping.WORTH
        if stop or (step % every == 0 and step < STEPS and worth):
            path = Path(f"state/checkpoint-{step}")
            states.save(path, model, optimizer, scaler, step, placed.first)
            if placed.first:
                keeping.mark(path)
                keeping.progress(step, STEPS)
                keeping.prune()
            placing.meet(placed)
            kept_at = time.monotonic()
        pace.pause()
        if stop:
            raise failing.Interrupted
trackers.close(watchers)

# What is kept.
weights = states.weights(model)
if placed.first:
    bases.publish_weights(weights, plain, base, dtype=PRECISION)
    noted = telling.history()
    last = next((each for each in reversed(noted) if "test_loss" in each), {})
    most = peaks.peak(placed.device, dtype)
    learned = rehearsing.measured(before, losses())
    telling.measure(
        {
            "train.loss": telling.last(noted),
            "test.loss": last.get("test_loss"),
            "test.bits_per_byte": last.get("bits_per_byte"),
            "trained_share": sum(each.share * weight for each, weight in zip(train, WEIGHTS, strict=True)),
            "tokens": mix.tokens(step),
            "epochs": mix.epochs(step),
            "tokens_per_second": pace.mean,
            "mfu": pace.mean * costs / (most * placed.world) if most else None,
            "memory_peak": telling.peak_memory(placed.device),
            **learned,
        }
    )
    shutil.copyfile(telling.HISTORY, "history.jsonl")
    shutil.rmtree("state/tokens")
