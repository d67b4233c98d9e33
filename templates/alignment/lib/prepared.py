"""What makes trl's trainers read what a finetune reads: rows that are ids already, prompts by the base's own template."""

from asking import rendered


class Rows:
    """Before a trainer of trl: its rows are ids already and stay as they are."""

    tokens = 0

    def _prepare_dataset(self, dataset, *_):
        return dataset

    def tokenize_row(self, row, _model=None):
        """ORPO's name for it."""
        return row

    def get_batch_loss_metrics(self, model, batch, train_eval="train"):
        """ORPO counts no tokens: they are counted here."""
        if train_eval == "train":
            self.tokens += sum(int(batch[f"{name}_attention_mask"].sum()) for name in ("chosen", "rejected"))
        return super().get_batch_loss_metrics(model, batch, train_eval)

    def log(self, logs, start_time=None):
        """What is counted stands in the log."""
        if self.tokens and "loss" in logs:
            logs["num_tokens"] = self.tokens
        return super().log(logs, start_time)


class Asks:
    """Before a trainer of trl that draws answers: its prompts are rendered as everywhere else."""

    encoder = None

    def _tokenize_prompts(self, prompts):
        texts = [rendered(each, self.encoder) for each in prompts]
        return self.encoder.tokenizer(texts, add_special_tokens=False)["input_ids"], None, {}
