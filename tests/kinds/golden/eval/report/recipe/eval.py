# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib==3.11.2"]
# ///
"""Joins what the tasks of an evaluation found into one report: numbers, the rows behind them, a table, pictures, a page."""

import faces
import joining
import telling

# The kind of each task, and how many other models got the same tasks.
TASKS = {"near": "text", "some": "exam", "speed": "speed", "told": "perplexity", "wide": "harness"}
RIVALS = 0
# What stands on the face of the report: a score of a twin is a rehearsal.
ON = None
MODEL = ""
FORMAT = "transformers"
REHEARSAL = False

report, measures = joining.joined(TASKS, RIVALS)
report |= {"model": MODEL, "format": FORMAT, "on": ON, "rehearsal": bool(REHEARSAL)}
joining.write(report, TASKS)
faces.write(report)
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
