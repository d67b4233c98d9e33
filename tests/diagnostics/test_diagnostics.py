"""The pages of this folder: every sentence that zyc says about what is wrong, as the person sees it who wrote it."""

from __future__ import annotations

import os
import re
import string
from pathlib import Path

import pytest
from example.workshop import beside
from pages import HERE, every, play, prepare, read, rewrite

from zyc.errors import WORDING, Problem
from zyc.world import World


@pytest.fixture
def drawings():
    """The kind of this folder beside the built-in ones."""
    with beside(HERE / "kinds"):
        yield


@pytest.mark.parametrize(("path", "title"), list(every()), ids=lambda each: each.stem if isinstance(each, Path) else each)
def test_a_wrong_spec_is_answered_as_its_page_shows(path, title, request, tmp_path, monkeypatch) -> None:
    """What a person sees is what the page says, to the letter; what is wrong with the specs or the call ends with 2."""
    page = read(path)
    case = next(each for each in page.cases if each.title == title)
    for name in page.kinds:
        request.getfixturevalue({"tests/example": "example", "tests/diagnostics": "drawings"}[name])
    monkeypatch.setattr(World, "disk_free", lambda *_: 500_000_000_000)
    folder = tmp_path / "project"
    for part in (page.head, case):
        prepare(part, folder)
    told, codes = {}, set()
    for at, block in enumerate(case.blocks):
        if block.info[:1] != ["console"]:
            continue
        told[at], seen = play(block, folder)
        for each in seen:
            assert "Traceback" not in each.text
            assert each.code == (2 if "error: " in each.text or '"errors"' in each.text else 0), each.text
            for problem in each.problems:
                check(problem, folder)
            codes |= {problem.code for problem in each.problems}
    assert told, f"`{title}` shows no call"
    assert codes >= codes_of(title), f"`{title}` is not about that"
    if request.config.option.update_snapshots:
        rewrite(path, title, told)
    for at, lines in told.items():
        assert [line.rstrip() for line in case.blocks[at].lines] == lines or request.config.option.update_snapshots


def codes_of(title: str) -> set[str]:
    """The codes that a heading names."""
    return set(re.findall(r"`([a-z0-9-]+)`", title)) & WORDING.keys()


def words_of(text: str) -> set[str]:
    """The words that a sentence is filled with."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def check(problem: Problem, folder: Path) -> None:
    """Its facts are those that its wording says; its places are in files that are there."""
    says = WORDING[problem.code]
    wanted = words_of(says.message) | words_of(says.help) | words_of(says.also)
    assert {name for name, _ in problem.facts} == wanted, problem
    for span in problem.spans:
        assert span.file.startswith("--set") or os.path.lexists(folder / span.file.removeprefix("HEAD:")), problem


# what needs a broken disk, a tree, trace or remote that somebody broke, or millions of values: the tests of the store, of
# sweeps, sources, remotes, hubs, faces, kinds and verbs say what happens then
ELSEWHERE = (
    "disk-failed", "disk-full", "index-missing", "index-rebuilt", "not-allowed", "input-changed", "not-made-again", "other-disk",
    "store-format", "tree-changed", "tree-link", "tree-shared", "tree-special", "unreadable-record", "bad-measures",
    "too-many-values", "tree-absent", "tree-damaged", "tree-differs", "remote-damaged", "remote-failed", "remote-lacks",
    "remote-too-large", "remote-unreadable", "no-remote-library", "store-busy", "store-read-only", "store-unnamed",
    "sweep-damaged", "unknown-project", "project-still-there", "accept-gone", "accept-nothing-kept", "accept-nothing-new",
    "accept-other-kind", "accept-unknown-input", "no-such-log", "adopt-no-file", "adopt-nothing-new", "adopt-one-node",
    "adopt-other-key", "adopt-other-kind", "adopt-runs", "adopt-too-large", "adopt-twin", "adopt-unknown-input",
    "adopt-unreadable",
    "face-copies", "face-not-built", "face-one-node", "face-unpinned", "hub-offline", "hub-unreached",
    "one-node", "not-asked", "asked-nothing", "not-served", "deploy-here", "deploy-no-token", "deploy-nowhere", "deploy-unproven",
    "deploy-what", "deploy-refused",
)  # fmt: skip


def test_every_code_has_its_page() -> None:
    """Every sentence that zyc can say about what is wrong is shown on a page, or has its test where its disk is broken."""
    shown = {code for _, title in every() for code in codes_of(title)}
    assert shown | {*ELSEWHERE} == WORDING.keys()
    assert not shown & {*ELSEWHERE}
