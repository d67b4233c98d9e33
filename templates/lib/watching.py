"""What stands beside transformers' Trainer: events, history, checkpoints that are whole, a stop on NaN or when asked."""

import time
from pathlib import Path

import failing
import keeping
import peaks
import telling
from transformers import PrinterCallback, TrainerCallback

CHECKPOINTS = 20  # in a run, when nobody says how often
AGREE_EVERY = 5  # steps: asking the other processes costs a moment
NOTED = (  # of what a trainer logs, beside loss and tokens
    "learning_rate", "grad_norm", "reward", "kl", "rewards/margins", "rewards/accuracies", "margin", "accuracy",
    "completions/mean_length", "completions/clipped_ratio",
)  # fmt: skip


class Watch(TrainerCallback):
    """One a run, in every process; only the first process writes."""

    def __init__(self, placed, *, checkpoint_every=None, scaled=False, unit=1):
        self.placed = placed
        self.unit = unit  # steps that belong together: a run goes on exactly only between two such
        self.checkpoint_every = checkpoint_every
        self.scaled = scaled  # fp16: the scaler meets infinite gradients and passes over such steps itself
        self.asked = failing.Asked()
        self.due = False
        self.pace = None
        self.tokens = 0
        self.every = self.lines = 1
        self.stopping = False
        self.kept_at = 0.0
        self.costs = None  # what a token costs, by the length of its row; where an accelerator's peak is known
        self.dtype = None
        self.best = False  # whether the step with the lowest test loss is kept, not the last one

    # --- the run ---

    def on_train_begin(self, args, state, control, model=None, **_):
        """From here on a stop is kept."""
        if self.placed.device == "cuda" and not self.placed.sharded and model is not None:
            self.costs = lambda length: peaks.operations(model, length)
        self.asked.listen()
        self.best = args.load_best_model_at_end
        self.pace = telling.Pace(state.max_steps, state.global_step)
        self.every = self.checkpoint_every or max(1, -(-state.max_steps // CHECKPOINTS))
        self.every += -self.every % self.unit
        self.kept_at = time.monotonic()
        self.lines = max(1, state.max_steps // telling.LINES)

    def on_step_end(self, args, state, control, **_):
        """Keep a checkpoint when it is time to, or when somebody asked the run to stop."""
        step, world = state.global_step, self.placed.world
        if (world == 1 or step % AGREE_EVERY == 0) and self.asked.agreed(world):
            self.stopping = True
            self.due = True
        if step % self.every == 0 and step < state.max_steps and (self.checkpoint_every or world > 1 or self.is_time()):
            self.due = True
        if self.due and step % self.unit == 0 and not (step >= state.max_steps and not self.stopping):
            control.should_save = True
        return control

    def on_save(self, args, state, control, **_):
        """It is all written: now it is whole."""
        self.due = False
        self.barrier()
        path = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.placed.first:
            keeping.mark(path)
            keeping.progress(state.global_step, state.max_steps, path.parent)
            keeping.prune([state.best_model_checkpoint] if state.best_model_checkpoint else (), path.parent)
        self.barrier()
        self.pace.pause()
        self.kept_at = time.monotonic()
        if self.stopping:
            raise failing.Interrupted
        return control

    def is_time(self):
        """Whether there is enough to lose, where nobody says how often to keep a checkpoint."""
        return time.monotonic() - self.kept_at > keeping.WORTH

    def barrier(self):
        """Every process has written its part."""
        if self.placed.world > 1:
            import torch.distributed as dist

            dist.barrier()

    # --- numbers ---

    def on_log(self, args, state, control, logs=None, **_):
        """A step's numbers: loss, learning rate, tokens; a loss that is no number ends the run before it is kept."""
        logs = logs or {}
        if "loss" not in logs:
            return
        step, of = state.global_step, state.max_steps
        for name in ("loss",) if self.scaled else ("loss", "grad_norm"):
            if failing.is_no_number(logs.get(name)):
                kept = keeping.newest(args.output_dir, say=lambda _: None)
                raise SystemExit(failing.no_number(name.replace("grad_norm", "gradient"), logs[name], step, of, kept))
        tokens = int(logs.get("num_tokens", 0))
        self.pace.step(step, tokens - self.tokens)
        self.tokens = tokens
        if not self.placed.first:
            return
        rate = round(self.pace.rate, 1)
        telling.event(step=step, of=of, loss=logs["loss"], tokens_per_second=rate, eta=self.pace.eta)
        facts = {name: logs[name] for name in NOTED if logs.get(name) is not None}
        telling.note(step=step, loss=logs["loss"], **facts, tokens_per_second=rate)
        telling.line(step, of, logs["loss"], self.pace, self.lines)

    def on_evaluate(self, args, state, control, metrics=None, **_):
        """What the test split says."""
        loss = (metrics or {}).get("eval_loss")
        if loss is not None and failing.is_no_number(loss):
            kept = keeping.newest(args.output_dir, say=lambda _: None)
            raise SystemExit(failing.no_number("test loss", loss, state.global_step, state.max_steps, kept))
        if self.placed.first and loss is not None:
            telling.note(step=state.global_step, test_loss=loss)
            print(f"step {state.global_step:,}  test loss {loss:.4f}")
        if self.pace:
            self.pace.pause()

    def measured(self):
        """The numbers of the whole run, for gates."""
        noted = telling.history()
        tests = [each["test_loss"] for each in noted if "test_loss" in each]
        return {
            "train.loss": telling.last(noted),
            "test.loss": (min(tests) if self.best else tests[-1]) if tests else None,
            "tokens_per_second": self.pace.mean or None,
            "mfu": self.share(),
            "memory_peak": telling.peak_memory(self.placed.device),
        }

    def share(self):
        """The share of what the accelerators could do; nothing on a CPU, or where their peak or the tokens are not known."""
        most = peaks.peak(self.placed.device, self.dtype) if self.costs and self.dtype and self.pace.mean else None
        if not most:
            return None
        length = self.pace.tokens / max(1, self.pace.counted - 1) / self.placed.batch
        return self.pace.mean * self.costs(length) / (most * self.placed.world)


def run(trainer, watch, placed, precision=None):
    """Train to the end, from the newest whole checkpoint if there is one; whoever asks it to stop finds a new one."""
    state = trainer.args.output_dir
    trainer.remove_callback(PrinterCallback)
    kept = keeping.newest(state)
    if placed.first:
        telling.rewind(keeping.step_of(kept) if kept else 0)
        precision = precision or ("bf16" if trainer.args.bf16 else "fp16" if trainer.args.fp16 else "fp32")
        dtype = watch.dtype = placed.computes(precision)
        moved = keeping.same_placement(placed.here(dtype), state)
        print(placed.words(dtype, precision))
        if kept:
            print(f"goes on from {kept}")
            print(moved, end="\n" if moved else "")
    with failing.told(lambda: keeping.newest(state, say=lambda _: None)):
        trainer.train(resume_from_checkpoint=str(kept) if kept else None)
    return watch.pace
