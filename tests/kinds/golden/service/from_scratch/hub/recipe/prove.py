# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Proves a bundle: every file is the one that it names; what can be started is started and answers as the model does directly."""

import json
from pathlib import Path

import telling
import whole

bundle = json.loads(Path("in/subject/bundle.json").read_text(encoding="utf-8"))
measures, report = whole.looked_through(Path("in/subject"), bundle)

Path("out/report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
telling.measure(measures)
for name, value in measures.items():
    print(f"{name}: {value:.6g}")
