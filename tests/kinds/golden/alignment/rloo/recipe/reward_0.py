"""What an answer is worth."""


def reward(completions, answer, **_):
    """More for the right colour, less for each character too many."""
    said = [each[-1]["content"] for each in completions]
    return [float(right in text) - 0.02 * len(text) for text, right in zip(said, answer, strict=True)]
