"""Counts the tokens of trainers that do not count them."""


class Counted:
    """Before a trainer of trl: every token that goes through the model stands in the log."""

    tokens = 0

    def training_step(self, model, inputs, *more, **named):
        """One piece of a batch."""
        masks = [name for name in inputs if name.endswith("attention_mask") and not name.startswith("prompt")]
        self.tokens += sum(int(inputs[name].sum()) for name in masks)
        return super().training_step(model, inputs, *more, **named)

    def log(self, logs, start_time=None):
        """What is counted stands in the log."""
        if "loss" in logs:
            logs["num_tokens"] = self.tokens
        return super().log(logs, start_time)
