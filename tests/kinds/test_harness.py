"""The kind `harness`: lm-evaluation-harness on an engine of ours gives what it gives on its own."""

import samples


def test_tasks(workshop, golden):
    """The script names the tasks, and nothing of where it stands."""
    workshop.write("data/asked.jsonl", '{"question": "one?", "answer": "1"}\n')
    workshop.spec(samples.read("harness").spec.partition("\n")[2])
    golden(workshop.front(), "my-eval.wide")
