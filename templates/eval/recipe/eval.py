# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib"]
# ///
"""Joins what the tasks of an evaluation found into one report: numbers, the rows behind them, a table, pictures, a page."""

import faces
import joining
import telling

# The kind of each task, and how many other models got the same tasks.
TASKS = {{ tasks }}
RIVALS = {{ rivals }}
# What stands on the face of the report: a score of a twin is a rehearsal.
ON = {{ on }}
MODEL = {{ model }}
FORMAT = {{ format }}
REHEARSAL = {{ rehearsal }}

report, measures = joining.joined(TASKS, RIVALS)
report |= {"model": MODEL, "format": FORMAT, "on": ON, "rehearsal": bool(REHEARSAL)}
joining.write(report, TASKS)
faces.write(report)
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
