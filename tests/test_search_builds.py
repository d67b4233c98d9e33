"""A search is built to its end by one call, and nothing is built on a winner that is only the best so far."""

import json

import pytest

from zyc import cli

SPEC = """zyc: 1
steps:
  mix:
    search: {over: {w: [0 .. 1000]}, from: judge, max: score, runs: 6}
    run: echo $ZYC_MATRIX_W > out/w
  judge:
    inputs: {mix: mix}
    run: |
      w=$(cat in/mix/w)
      echo "{\\"score\\": $((-(w - 300) * (w - 300)))}" | tee measures.json > out/score
  best: {inputs: {mix: {select: {from: judge, max: score, take: mix}}}, run: cp in/mix/w out/w}
"""


def test_what_stands_on_a_search_waits_for_its_end(tmp_path, monkeypatch, capsys):
    """Six members are tried, each once; the step behind the choice runs once, on the best of all six."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/mix.yml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["build", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ran = [each["node"] for each in events if each["event"] == "end" and each["fate"] == "ran"]
    assert sorted(ran) == sorted(set(ran))
    assert len([name for name in ran if name.startswith("mix@")]) == 6
    assert ran[-1] == "best"
    tried = [
        int((tmp_path / f"artifacts/nodes/{name.replace('@', '--').replace('=', '-')}/w").read_text())
        for name in ran
        if name.startswith("mix@")
    ]
    best = int((tmp_path / "artifacts/nodes/best/w").read_text())
    assert best == min(tried, key=lambda w: abs(w - 300))
    assert events[-1]["counts"]["ran"] == 13
    assert cli.run(["plan", "--exit-code"]) == 0


FAILS = SPEC.replace(
    "w=$(cat in/mix/w)", 'w=$(cat in/mix/w); [ -e "$HOME/fail" ] && [ $w -gt 600 ] && echo once >> $HOME/tries && exit 4'
)


@pytest.mark.parametrize("more", [[], ["--keep-going"]])
def test_a_member_of_a_search_that_fails_is_built_once(tmp_path, monkeypatch, capsys, more):
    """Not for ever; the next build tries it again, and the search goes on."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/mix.yml").write_text(FAILS + "  other: {inputs: {mix: mix}, run: ls in/mix > out/it}\n" * bool(more))
    (tmp_path / "fail").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cli.run(["build", "--json", *more]) == 1
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (done["event"], done["counts"]["failed"]) == ("done", 1)
    assert (tmp_path / "tries").read_text() == "once\n"
    (tmp_path / "fail").unlink()
    assert cli.run(["retry", "--json"]) == 0
