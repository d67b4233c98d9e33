"""What a rehearsal loses on the same rows before its first step and after its last: whether it learned anything."""

import math

from signed_ranks import less

ROWS = 64  # of each split
WINDOW = 64  # tokens of a row of a text that is one long row: few long ones would tell little


def losses(trainer, *, at_once=1, packed=None):
    """The loss of each row as its trainer sees it, of what is learned and of what is held out.

    Where a trainer packs several rows into one, `packed` are they: few long ones would tell little.
    """
    train, test = packed or (trainer.train_dataset, trainer.eval_dataset)
    splits = {"train": train, "test": test}
    return {name: _losses(trainer, rows, at_once) for name, rows in splits.items() if rows is not None and len(rows)}


def _losses(trainer, rows, at_once):
    """Those of the first rows, so many at once."""
    args, model = trainer.args, trainer.model
    size, training = args.per_device_eval_batch_size, model.training
    args.per_device_eval_batch_size = at_once
    model.eval()
    told = []
    for batch in trainer.get_eval_dataloader(rows.select(range(min(ROWS * at_once, len(rows))))):
        with trainer.accelerator.autocast():
            told.append(trainer.prediction_step(model, batch, prediction_loss_only=True)[0].item())
    args.per_device_eval_batch_size = size
    model.train(training)
    return told


def measured(before, after):
    """What each split cost before it learned, and how likely it is by chance that it costs less now."""
    told = {}
    for split, now in after.items():
        told[f"untrained.{split}.loss"] = math.fsum(before[split]) / len(before[split])
        told[f"untrained.{split}.p"] = less(now, before[split])
    return told
