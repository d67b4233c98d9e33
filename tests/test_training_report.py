"""The report of a run: one page and one picture from what it noted, whatever that holds, and nothing else."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zyc import kinds
from zyc.keeping.traces import Trace
from zyc.report.training import filled

LIB = kinds.templates_of("step")[0] / "lib"
sys.path.insert(0, str(LIB))
import training_report  # noqa: E402  # as the harness of a step does

sys.path.remove(str(LIB))
EMPTY = {"meta", "img", "line", "polyline"}


class Page(HTMLParser):
    """Whether every tag is closed, and what a page asks for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.asks, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Remember it, and what it loads."""
        if tag not in EMPTY:
            self.open.append(tag)
        self.asks += [value for name, value in attrs if name in ("src", "href", "data", "action")]
        self.asks += ["script"] if tag == "script" or any(name.startswith("on") for name, _ in attrs) else []

    def handle_endtag(self, tag):
        """It closes the one that is open."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        """It is closed at once."""
        self.handle_starttag(tag, attrs)

    def handle_data(self, data):
        """Its words."""
        self.words.append(data)


def noted(steps=240, tests=60):
    """The history of a run."""
    told = []
    for step in range(1, steps + 1):
        told.append({"step": step, "loss": 0.4 + 3.5 * math.exp(-step / 40), "learning_rate": 1e-3, "tokens_per_second": 1900.0})
        if step % tests == 0:
            told.append({"step": step, "test_loss": 0.5 + 3.3 * math.exp(-step / 45)})
    return told


def charts(page):
    """The titles of the charts of a page."""
    return re.findall(r"<figcaption>([^<]*)", page)


def test_a_page_needs_nothing_else():
    """It loads nothing, runs nothing, and says what was measured, with each chart that has numbers."""
    page = training_report.page(noted(), [], {"train.loss": 0.412, "tokens_per_second": 1900.0, "mfu": 0.4})
    read = Page(page)
    assert (read.open, read.asks) == ([], [])
    assert "http" not in page.replace("http-equiv", "")
    assert charts(page) == ["Loss", "Learning rate", "Tokens a second", "Share of peak"]
    assert {"0.412", "1,900", "40 %", "240 steps"} <= {*read.words}


def test_what_nobody_noted_is_in_no_chart():
    """A share of peak that is not known, and rewards that were not given, leave no empty place."""
    assert charts(training_report.page(noted(), [], {})) == ["Loss", "Learning rate", "Tokens a second"]
    rows = [
        {"step": 1, "loss": 1.0, "kl": 0.1, "rewards/margins": 0.2},
        {"step": 2, "loss": 0.9, "kl": 0.2, "rewards/margins": 0.3},
    ]
    assert charts(training_report.page(rows, [], {})) == ["Loss", "Reward margin", "Distance to the reference (KL)"]


def test_answers_stand_side_by_side_and_stay_text():
    """What was asked, wanted, and answered before and after; an answer that is what was wanted is marked."""
    rows = [
        {"prompt": "<b>who</b>", "wanted": "I", "before": "<script>x()</script>", "after": "I"},
        {"prompt": "p", "wanted": ""},
    ]
    page = training_report.page(noted(4), rows, {})
    assert (Page(page).open, Page(page).asks) == ([], [])
    assert page.count('class="same">I</td>') == 1
    assert page.count("not asked") == 2
    assert "<script" not in page


@given(st.lists(st.tuples(st.integers(1, 10**7), st.floats(allow_nan=True, allow_infinity=True)), max_size=60), st.booleans())
def test_any_numbers_make_a_chart_or_none(points, zero):
    """Whatever a run noted, a chart is well-formed, and its lines stay inside of it."""
    rows = [{"step": step, "loss": value} for step, value in sorted(points, key=lambda each: each[0])]
    line = [each for each in training_report.line_of(rows, "loss") if abs(each[1]) < 1e300 and not 0 < abs(each[1]) < 1e-300]
    told = training_report.chart("x", [("x", "one", line, True)], zero=zero and all(value >= 0 for _, value in line))
    assert bool(told) == bool(line)
    if told:
        svg = ET.fromstring(told).find("svg")
        pairs = [pair.split(",") for each in svg.iter("polyline") for pair in each.get("points").split()]
        assert all(-1 <= float(x) <= 861 and -1 <= float(y) <= 241 for x, y in pairs)


def test_a_long_run_is_drawn_with_few_points():
    """A page does not grow with the run: each point stands for the mean of many steps."""
    page = training_report.page(noted(50_000, 10_000), [], {})
    assert len(page) < 120_000
    points = training_report.fewer([(step, float(step)) for step in range(1, 1001)], most=100)
    assert points[0] == (10, 5.5)
    assert len(points) == 100


def test_ticks_are_round_numbers():
    """What stands beside a line is a number that people count in."""
    assert training_report.ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert [round(each, 9) for each in training_report.ticks(0.11, 0.52)] == [0.2, 0.3, 0.4, 0.5]
    assert training_report.said(3e-5) == "3e-5"


def run(folder):
    """The report as the end of a script makes it."""
    return subprocess.run([sys.executable, LIB / "training_report.py"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_step_folder_gets_a_page_and_a_picture(tmp_path):
    """From the files beside it, the last line of which may be torn; the picture is a PNG."""
    lines = "".join(f"{json.dumps(each)}\n" for each in noted())
    (tmp_path / "history.jsonl").write_text(f'{lines}{{"step": 2')
    (tmp_path / "measures.json").write_text('{"train.loss": 0.4}')
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "report/loss.png").read_bytes().startswith(b"\x89PNG")
    assert "240 steps" in (tmp_path / "report/index.html").read_text()


def test_a_run_that_noted_nothing_has_no_report(tmp_path):
    """There is no empty page."""
    assert run(tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_an_answer_of_empty_lines_takes_no_room():
    """What a poor model says in blanks is shown as nothing, and long texts lose their middle."""
    rows = [{"prompt": "p", "wanted": "w", "before": " \n\n\n ", "after": "a\n\n \n\n\nb"}]
    page = training_report.page(noted(4), rows, {})
    assert "<span class=none>nothing</span>" in page
    assert ">a\n\nb</td>" in page
    assert len(training_report.shortened("x" * 10_000)) < 600


def test_a_page_says_one_memory():
    """The table has what the step held: what its process says is not told beside it, unless it is the memory of a GPU."""
    page = training_report.page(noted(4), [], {"memory_peak": 1.00e9, "train.loss": 0.4})
    predicted, here = {"memory": 1.4e9}, {"host": "here"}
    trace = Trace("k", "finetune", "t", 1, peak_memory=1_020_000_000, predicted=predicted, environment=here)
    told = filled(page, "a", trace, twin=False)
    assert "1.00 GB" not in told
    assert "1.02 GB" in told
    there = replace(trace, environment={"accelerator": "1 x Tesla T4"})
    assert "1.00 GB" in filled(page, "a", there, twin=False)
