"""Whether two tokenizers are one, and rows for a student and a teacher that read them as different tokens."""

import asking
from chats import AT_ONCE, ROLES, UNTRAINED


def same(student, teacher):
    """Whether the same id means the same piece to both."""
    return student.get_vocab() == teacher.get_vocab()


def must_be_one(student, teacher):
    """A loss over the logits of two vocabularies is a number without a meaning, and no trainer says so."""
    if not same(student, teacher):
        raise SystemExit(
            "error: student and teacher have different tokenizers, so that their logits are about different pieces: "
            "`mode: responses` works across any tokenizers"
        )


def must_be_bytes(**tokenizers):
    """Tokens of two tokenizers can be laid side by side only where both cut bytes."""
    for who, tokenizer in tokenizers.items():
        inner = getattr(tokenizer, "backend_tokenizer", None)
        if inner is None or "ByteLevel" not in (str(inner.decoder) + str(inner.pre_tokenizer)):
            raise SystemExit(
                f"error: the tokenizer of the {who} does not cut bytes: `mode: responses` works across any tokenizers"
            )


def fit(teacher, student):
    """As many rows in the teacher's output as in the student's: of one tokenizer, the last ones mean nothing."""
    wanted = student.config.get_text_config().vocab_size
    if teacher.config.get_text_config().vocab_size != wanted:
        teacher.resize_token_embeddings(wanted, mean_resizing=False)
    return teacher


class Beside:
    """Collates rows for GKD: the row, and its prompt alone for answers of the student's own."""

    def __init__(self, pad):
        self.pad = pad

    def __call__(self, rows):
        """All of them padded at the left."""
        asked = []
        for row in rows:
            first = next(at for at, label in enumerate(row["labels"]) if label != UNTRAINED)
            asked.append(row["input_ids"][:first])
        ids = [row["input_ids"] for row in rows]
        return {
            "input_ids": self._padded(ids, self.pad),
            "attention_mask": self._padded([[1] * len(each) for each in ids], 0),
            "labels": self._padded([row["labels"] for row in rows], UNTRAINED),
            "prompts": self._padded(asked, self.pad),
            "prompt_attention_mask": self._padded([[1] * len(each) for each in asked], 0),
        }

    @staticmethod
    def _padded(lists, value):
        import torch

        width = max(map(len, lists))
        return torch.tensor([[value] * (width - len(each)) + each for each in lists])


class Prepared:
    """Before a trainer of trl: its rows are ids already and stay as they are."""

    def _prepare_dataset(self, dataset, *_):
        return dataset


def crossed(rows, student, teacher):
    """Rows for GOLD: each reads the prompt by its own template, and the answer is laid out byte by byte for both."""
    from trl.experimental.utils import encode_with_byte_offsets

    asked, told = asking.questions(rows, student, student.context)
    told = {"rows": told["rows"], "cut": 0, "dropped": told["long"] + told["empty"]}
    begin, end = teacher.tokenizer.bos_token, student.tokenizer.convert_tokens_to_ids(student.end_of_turn)
    adds = bool(begin) and teacher.tokenizer("x")["input_ids"][:1] == [teacher.tokenizer.bos_token_id]

    def encode(batch):
        made = []
        prompts = student.tokenizer(batch["rendered"], add_special_tokens=False)["input_ids"]
        answers = encode_with_byte_offsets(student.tokenizer.backend_tokenizer, batch["answer"], add_special_tokens=False)
        for prompt, question, text, (ids, offsets) in zip(prompts, batch["prompt"], batch["answer"], answers, strict=True):
            length = len(text.encode())
            if not text.strip() or len(prompt) + len(ids) + 1 > student.context:
                told["dropped"] += 1
                continue
            before = asking.rendered(question, teacher)
            said = [*ids, end]
            made.append(
                {
                    "input_ids": prompt + said,
                    "labels": [UNTRAINED] * len(prompt) + said,
                    "attention_mask": [1] * (len(prompt) + len(said)),
                    "completion_mask": [0] * len(prompt) + [1] * len(said),
                    "byte_offsets": [(0, 0)] * len(prompt) + [tuple(each) for each in offsets] + [(length, length)],
                    "original_prompt_text": before.removeprefix(begin) if adds else before,
                    "original_completion_text": text,
                    "roles": [ROLES.index("user")] * len(prompt) + [ROLES.index("assistant")] * len(said),
                    "ends": [len(prompt) + len(ids)],
                    "cut": False,
                }
            )
        names = (
            "input_ids", "labels", "attention_mask", "completion_mask", "byte_offsets", "original_prompt_text",
            "original_completion_text", "roles", "ends", "cut",
        )  # fmt: skip
        return {name: [each[name] for each in made] for name in names}

    return asked.map(encode, batched=True, batch_size=AT_ONCE, remove_columns=asked.column_names), told
