"""What makes trl's trainers read what a finetune reads: rows that are ids already, prompts by the base's own template."""

from asking import rendered


class Rows:
    """Before a trainer of trl: its rows are ids already and stay as they are."""

    def _prepare_dataset(self, dataset, *_):
        return dataset

    def tokenize_row(self, row, _model=None):
        """ORPO's name for it."""
        return row


class Asks:
    """Before a trainer of trl that draws answers: its prompts are rendered as everywhere else."""

    encoder = None

    def _tokenize_prompts(self, prompts):
        texts = [rendered(each, self.encoder) for each in prompts]
        return self.encoder.tokenizer(texts, add_special_tokens=False)["input_ids"], None, {}
