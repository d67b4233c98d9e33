# /// script
# requires-python = ">=3.11"
# dependencies = ["matplotlib"]
# ///
"""Puts reports of evaluations side by side: a table, a chart, paired tests on the same questions, and one verdict."""

import showing
import telling
from beside import answered, measures_of, ordered, paired, read

# Who stands in the table, and where each report lies.
REPORTS = {{ reports }}
# The task that is drawn and paired, and the measures that are shown.
EXAM = {{ exam }}
COLUMNS = {{ columns }}
# Name of a test: who should be better, than whom.
PAIRS = {{ pairs }}
# What is to be answered, by whose numbers, and what has to hold.
QUESTION = {{ about }}
OF = {{ of }}
WHEN = {{ when }}
# A score of a twin is a rehearsal.
REHEARSAL = {{ rehearsal }}

reports = ordered({label: read(path) for label, path in REPORTS.items()}, EXAM)
tests = {name: paired(reports, EXAM, *both) for name, both in PAIRS.items()}
verdict = answered(QUESTION, OF, WHEN, reports) if QUESTION else None
told = {"exam": EXAM, "columns": COLUMNS, "reports": reports, "pairs": tests, "verdict": verdict, "rehearsal": bool(REHEARSAL)}

showing.write(told)
measures = measures_of(told)
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
