# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib==3.11.2"]
# ///
"""Puts reports of evaluations side by side: a table, a chart, paired tests on the same questions, and one verdict."""

import showing
import telling
from beside import answered, measures_of, ordered, paired, read

# Who stands in the table, and where each report lies.
REPORTS = {"alone": "alone/0", "tried-small": "tried/model=small", "tried-deep": "tried/model=deep"}
# The task that is drawn and paired, and the measures that are shown.
EXAM = "questions"
COLUMNS = []
# Name of a test: who should be better, than whom.
PAIRS = {"depth": ["tried-deep", "tried-small"]}
# What is to be answered, by whose numbers, and what has to hold.
QUESTION = "Is it worth its layers?"
OF = "tried-deep"
WHEN = [{"says": "questions.accuracy >= 50 %", "measure": "questions.accuracy", "sign": ">=", "bound": 0.5}]
# A score of a twin is a rehearsal.
REHEARSAL = False

reports = ordered({label: read(path) for label, path in REPORTS.items()}, EXAM)
tests = {name: paired(reports, EXAM, *both) for name, both in PAIRS.items()}
verdict = answered(QUESTION, OF, WHEN, reports) if QUESTION else None
told = {"exam": EXAM, "columns": COLUMNS, "reports": reports, "pairs": tests, "verdict": verdict, "rehearsal": bool(REHEARSAL)}

showing.write(told)
measures = measures_of(told)
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
