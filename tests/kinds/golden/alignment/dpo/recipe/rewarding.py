"""What answers are worth: functions of the user's, and scorers, as trl calls them; whatever they do wrong is told by name."""

import importlib.util
import inspect
import math
from pathlib import Path

HERE = Path(__file__).parent


def functions(named, placed):
    """One callable for each `{file, function}` or `{scorer}`."""
    return [
        Scored(each["scorer"], placed) if each.get("scorer") else Checked(HERE / each["file"], each["function"]) for each in named
    ]


class Checked:
    """A function of the user's, held to its promise: a number for each answer, or None for none."""

    def __init__(self, path, name):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.inner = getattr(module, name, None)
        self.where, self.__name__ = f"`{name}` of {path.name}", name
        if not callable(self.inner):
            raise SystemExit(f"error: {path.name} has no function `{name}`: it is named in `rewards`")
        if inspect.iscoroutinefunction(self.inner):
            raise SystemExit(f"error: {self.where} is a coroutine: write it as a plain function")

    def __call__(self, prompts, completions, **more):
        """Its numbers."""
        told = self.inner(prompts=prompts, completions=completions, **more)
        if not isinstance(told, list | tuple) or len(told) != len(completions):
            count = len(told) if isinstance(told, list | tuple) else type(told).__name__
            raise SystemExit(f"error: {self.where} gives {count} for {len(completions)} answers: it must give a list of as many")
        for value in told:
            number = isinstance(value, int | float) and not isinstance(value, complex)
            if value is not None and not (number and math.isfinite(value)):
                raise SystemExit(f"error: {self.where} gives `{value}` for an answer: a reward is a number, or None for none")
        return [None if value is None else float(value) for value in told]


class Scored:
    """A scorer: a model that reads a whole conversation by its own template and gives it a number."""

    def __init__(self, home, placed):
        import bases
        import chats
        from transformers import AutoModelForSequenceClassification

        home = Path(home)
        if not (home / "scorer.json").exists():
            raise SystemExit(f"error: {home} holds no scorer: there is no scorer.json")
        self.tokenizer = bases.tokenizer(home)
        self.model = bases.ready(AutoModelForSequenceClassification.from_pretrained(home), placed)
        self.limit = self.model.config.max_position_embeddings
        self.encoder = chats.Encoder.of(home, self.tokenizer, context=self.limit)
        self.__name__ = "scorer"

    def __call__(self, prompts, completions, **_):
        """A number for each answer."""
        import torch

        rows = [{"prompt": prompt, "completion": said} for prompt, said in zip(prompts, completions, strict=True)]
        told = []
        for start in range(0, len(rows), 8):
            ids = [each["input_ids"] for each in self.encoder.encode(rows[start : start + 8])]
            width = max(map(len, ids))
            pad = self.tokenizer.pad_token_id
            batch = torch.tensor([each + [pad] * (width - len(each)) for each in ids], device=self.model.device)
            mask = torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in ids], device=self.model.device)
            with torch.no_grad():
                told += self.model(input_ids=batch, attention_mask=mask).logits[:, 0].float().tolist()
        return told


def mean(functions, weights, prompts, completions, columns):
    """The weighted sum of what answers are worth, on average; None where nothing gives any of them a number."""
    totals = [None] * len(completions)
    for function, weight in zip(functions, weights, strict=True):
        for at, value in enumerate(function(prompts=prompts, completions=completions, **columns)):
            if value is not None:
                totals[at] = (totals[at] or 0.0) + weight * value
    told = [each for each in totals if each is not None]
    return sum(told) / len(told) if told else None
