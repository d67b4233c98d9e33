"""`zyc report`: the pages that runs left, with what only the project knows, and the page of the graph that leads to them."""

import re

import pytest

PAGE = """\
<!doctype html>
<title>Training</title><h1><!-- zyc: name -->Training<!-- zyc: end --></h1><p><!-- zyc: what -->9 steps<!-- zyc: end --></p>
<!-- zyc: predicted --><!-- zyc: end --><script src="http://x/y"></script>
"""
SPEC = """\
steps:
  run:
    files: {page: specs/data/page.html}
    run: |
      echo x > out/x; echo '{"train.loss": 0.25, "tokens_per_second": 1900}' > measures.json
      mkdir report; printf png > report/loss.png; cat in/page > report/index.html
    placement: {time: 10 s, memory: 100 MB}
  other: echo x > out/y
"""


@pytest.fixture
def desk(bare):
    """A desk with a node that leaves a report, and one that leaves none."""
    bare.write("specs/data/page.html", PAGE)
    bare.spec(SPEC)
    return bare


def test_reports_are_collected_with_an_index(desk):
    """Each page gets the node's name, where and when it ran; the index leads to it, and other nodes are not in it."""
    assert desk.zyc("build").code == 0
    told = desk.zyc("report", "--json").data
    assert told == {
        "index": "artifacts/report/index.html",
        "reports": [{"node": "run", "page": "artifacts/report/run/index.html", "picture": True}],
    }
    page = desk.read("artifacts/report/run/index.html")
    assert "<title>run</title><h1>run</h1>" in page
    assert re.search(r"<p>step · .* · local · 20..-.* UTC · 9 steps</p>", page)
    index = desk.read("artifacts/report/index.html")
    assert '<a class="more" href="run/index.html">its own report</a>' in index
    assert "<dt>train.loss</dt><dd>0.25</dd>" in index
    assert 'href="other/index.html"' not in index
    assert (desk.root / "artifacts/report/run/loss.png").read_bytes() == b"png"


def test_a_page_from_elsewhere_runs_nothing(desk):
    """Whatever a run left, the page that is collected may neither run scripts nor ask anybody."""
    desk.zyc("build", "run")
    desk.zyc("report", "run")
    page = desk.read("artifacts/report/run/index.html")
    assert page.startswith(
        '<!doctype html>\n<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    )
    assert page.lower().count("<!doctype") == 1


def test_a_node_that_did_not_train_has_a_page_of_its_graph(desk):
    """Asked for by name, the page is about it and what it stands on, and about nothing else."""
    desk.zyc("build", "other")
    assert desk.zyc("report", "other", "--json").data == {"index": "artifacts/report/index.html", "reports": []}
    page = desk.read("artifacts/report/index.html")
    assert "<h1>other</h1>" in page
    assert '<text class="name" x="14"' in page
    assert ">run<" not in page
    assert "ready to ship" in page


def test_the_twin_has_reports_of_its_own(desk):
    """A rehearsal is labelled as one, and stands apart."""
    desk.zyc("build", "--twin")
    told = desk.zyc("report", "--twin", "--json").data
    assert told["index"] == "artifacts/report/twin/index.html"
    assert "rehearsal of a step" in desk.read("artifacts/report/twin/run/index.html")


def test_what_was_predicted_stands_beside_what_was_measured(desk):
    """Time, memory and size, where the run was estimated."""
    desk.zyc("build", "run")
    desk.zyc("report")
    page = desk.read("artifacts/report/run/index.html")
    assert re.search(r"<td>time</td><td>10 s</td><td>[^<]+</td>", page)
