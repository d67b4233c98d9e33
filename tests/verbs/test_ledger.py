"""`zyc ledger`, `zyc ask`, `zyc diff` without an engine: what a graph and kept files say; with engines see tests/systems."""

import json
from dataclasses import replace

import pytest

from zyc.forms import asking
from zyc.forms.asking import Asked, Said
from zyc.forms.ledger import Hop, Reading
from zyc.gates import Verdict, parse
from zyc.planning.plan import GateOutlook
from zyc.report import asked as report_asked
from zyc.report import ledger as report
from zyc.report.console import Console

SPEC = """\
tokenizers: {tok: {corpus: specs/data/words.txt, vocab: 400}}
models:
  small: {scratch: {family: llama, layers: 2, heads: 4, width: 256, mlp: 512, context: 2048}, tokenizer: tok}
datasets: {lines: {from: specs/data/words.txt, per: line, format: text}}
prompts: {judge: You judge.}
finetunes: {tuned: {base: small, data: lines, train: {steps: 10}}}
steps: {used: {inputs: {model: tuned.fused.gguf}, run: echo x > out/x}}
"""


@pytest.fixture
def chain(bare):
    """A desk with a chain that nobody has built."""
    bare.write("specs/data/words.txt", "one two three\n" * 50)
    bare.spec(SPEC)
    return bare


def test_the_chain_of_a_model_is_every_form_up_to_it(chain):
    """Base, adapter, fused, F16 and served; a hop that is not built says how it is, and whose proof is missing."""
    said = chain.zyc("ledger", "tuned", "--json")
    assert said.code == 0, said.text
    hops = said.data["hops"]
    assert [(each["hop"], each["node"]) for each in hops] == [
        ("base", "small"),
        ("adapter", "tuned"),
        ("fused", "tuned.fused"),
        ("F16", "tuned.fused.gguf"),
        ("served", "tuned.fused.gguf"),
    ]
    assert [each["proof"] for each in hops] == [None, None, "tuned.fused.proof", "tuned.fused.gguf.proof", None]
    assert hops[2]["command"] == "zyc build tuned.fused tuned.fused.proof"
    assert not any(each["kept"] or each["proven"] for each in hops)
    assert said.data["says"] == "0 of 2 hops proven"


def test_what_stands_on_a_model_has_the_ledger_of_that(chain):
    """A step that uses a model is asked about in its place; one in the middle of the chain ends it."""
    assert [each["hop"] for each in chain.zyc("ledger", "used", "--json").data["hops"]][-1] == "served"
    assert [each["node"] for each in chain.zyc("ledger", "small", "--json").data["hops"]] == ["small"]


def test_without_a_model_there_is_nothing_to_tell(built):
    """Steps that no model stands behind have no ledger, and cannot be asked."""
    assert built.zyc("ledger", "sack").lines == ["no model stands behind `sack`: there is nothing to keep account of"]
    said = built.zyc("ask", "sack", "who?")
    assert (said.code, said.err.splitlines()[0]) == (2, "error: `sack` is no model, and stands on none")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ask", "tunde", "x"], "nothing is called `tunde`"),
        (["ask", "tuned", "x"], "nothing of `tuned` is kept that could answer"),
        (["ask", "tuned", "x", "--along"], "nothing of `tuned` is kept that could answer"),
        (["ask", "tuned", "x", "--prompt", "jugde"], "nothing is called `jugde`"),
        (["diff", "tuned", "smal"], "nothing is called `smal`"),
        (["diff", "tuned", "small"], "`tuned` is not kept here"),
        (["ledger", "kind:model", "--exclude", "small"], "`kind:model` means 0 nodes; this is about one"),
    ],
)
def test_what_cannot_be_asked_is_two(chain, words, told):
    """A wrong name, and what is not built, is said in one line, with the next step in another."""
    said = chain.zyc(*words)
    assert (said.code, said.out) == (2, ""), said.text
    assert said.err.splitlines()[0] == f"error: {told}"
    assert said.err.splitlines()[1].startswith("help: ")


def test_a_rehearsal_is_told_how_to_be_built(chain):
    """The next step of a twin is that of the twin."""
    assert chain.zyc("ledger", "tuned", "--twin", "--json").data["hops"][2]["command"].endswith(" --twin")
    assert "help: `zyc build tuned --twin` makes it" in chain.zyc("ask", "tuned", "x", "--twin").err


def test_what_is_kept_as_a_rehearsal_only_is_asked_as_that(chain, monkeypatch):
    """Whoever built the twin and leaves `--twin` out is told of it; where no twin is kept, nobody is."""
    assert "--twin" not in chain.zyc("ask", "tuned", "x").err
    before = Reading.chain

    def with_twin(self, end):
        return tuple(replace(each, here=self.front.call.twin) for each in before(self, end))

    monkeypatch.setattr(Reading, "chain", with_twin)
    said = chain.zyc("ask", "tuned", "y")
    assert "makes it; its rehearsal is kept: `zyc ask tuned --twin`" in said.err


def test_what_another_file_was_asked_is_not_told_of_this_one(built):
    """Two chains that part late share what was asked of their beginning, and no more: each is served from a file of its own."""
    from zyc.front import Call, open_front
    from zyc.world import World

    labels = {"base": "t1", "F16": "t2", "served": "t2"}
    hops = [{"label": label, "tree": tree} for label, tree in labels.items()]
    rows = [{"label": label, "answers": [{"text": "a", "ids": [1], "pieces": ["a"]}]} for label in labels]
    question = {"messages": [{"role": "user", "content": "?"}], "wanted": ""}
    built.write("artifacts/asked/real/x/ask.json", json.dumps({"hops": hops}))
    built.write("artifacts/asked/real/x/answers.json", json.dumps({"hops": rows, "questions": [question]}))
    front = open_front(World(), built.root, Call())

    def told(**trees):
        chain = [Hop("m", label, "gguf", tree, here=True) for label, tree in trees.items()]
        return asking.differences(front, chain)

    assert told(**labels) == dict.fromkeys(("F16", "served"), "none in 1 answer")
    assert told(base="t1", F16="t2", Q4="t3", served="t3") == {"F16": "none in 1 answer"}
    assert told(base="t9", F16="t2", served="t9") == {}


def gate(text, value):
    """A gate and what a number says of it."""
    return GateOutlook(parse(text), Verdict.HOLDS if value else Verdict.FAILS, "")


def test_a_hop_says_what_its_proof_measured():
    """KL with its bound and whether it holds; all but one of a thousand texts is not all."""
    measures = {"kl": 0.002, "top1": 0.99999, "same_tokens": 0.999, "same_template": 1.0}
    hop = Hop("m.gguf", "F16", "gguf", "t", here=True, proof="m.gguf.proof", proven=True, measures=measures)
    cells = report.row(hop, {})
    assert cells == ("F16", "m.gguf", "99.90 % same", "same", "0.002", "99.99 %", "none found")
    from dataclasses import replace

    broken = replace(hop, gates=(gate("kl <= 0.001", value=False),))
    assert report.row(broken, {})[4] == "0.002 > 0.001"
    assert broken.holds is False
    assert report.sentence([hop, broken]) == "the first hop that breaks its promise is F16 (m.gguf.proof)"
    assert report.sentence([hop, replace(hop, proven=False)]) == "1 of 2 hops proven; KL of all of them together 0.004"


def test_a_merge_is_a_hop_with_its_own_proof(chain):
    """What looks whether it is whole proves the hop: nothing says `0 of 0`, and no divergence is told where none is measured."""
    chain.spec(SPEC + "merges: {mix: {method: linear, models: {small: 50%, tuned.fused: 50%}}}\n")
    told = chain.zyc("ledger", "mix", "--json").data
    assert told["hops"][-1]["proof"] == "mix.proof"
    assert told["hops"][0]["proof"] is None
    assert told["says"].startswith("0 of ")
    assert not told["says"].startswith("0 of 0")
    says = "its proof: every tensor is there, it loads and answers"
    hop = Hop("mix", "merge", "folder", "t", here=True, proof="mix.proof", proven=True, measures={"loads": 1.0}, says=says)
    assert report.row(hop, {})[-1] == says
    assert report.sentence([hop]) == "1 of 1 hops proven"


def test_markdown_cannot_be_left():
    """A difference that a proof quotes stays in its cell."""
    hop = Hop("m", "F16", "gguf", "t", here=True, proof="p", proven=True, difference="a | b <script>")
    assert report.markdown([hop], {}).splitlines()[2].endswith("| a \\| b &lt;script> |")


def said(*pieces):
    """An answer, one token a piece."""
    return Said("".join(pieces), tuple(hash(each) for each in pieces), pieces)


@pytest.fixture
def asked():
    """Two forms that part at their third token, and one that does as the second."""
    answers = {"base": (said("a", "b", "c"),), "fused": (said("a", "b", "x", "y"),), "F16": (said("a", "b", "x", "y"),)}
    return Asked(("why?",), ("be brief",), ("ab",), ("base", "fused", "F16"), answers)


def test_the_first_token_that_differs_is_underlined(asked, capsys):
    """Each form is compared with the one before it; on a stream without colour the count says where."""
    import sys

    missing = [Hop("m.gguf", "Q4_K_M", "gguf"), Hop("m.onnx", "fp16", "onnx", "t", here=True)]
    report_asked.tell(Console(sys.stdout, sys.stderr, colour=True), asked, missing)
    out = capsys.readouterr().out
    assert "ab\x1b[4mx\x1b[0my" in out
    assert out.count("\x1b[4m") == 1
    report_asked.tell(Console(sys.stdout, sys.stderr), asked, missing)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["base", "abc"] in lines
    assert ["fused", "same first 2 tokens    abxy"] in lines
    assert ["F16", "the same               abxy"] in lines
    assert ["Q4_K_M", "not built: zyc build m.gguf"] in lines
    assert ["fp16", "no engine here answers as onnx"] in lines


def test_an_answer_of_blanks_is_nothing(capsys):
    """What is empty once it is stripped is said to be, in colour too, of the first form and of one that differs."""
    import sys

    blank = Asked(("why?",), ("",), ("",), ("base", "fused"), {"base": (said(" ", "\n"),), "fused": (said("\n", " "),)})
    for colour in (False, True):
        report_asked.tell(Console(sys.stdout, sys.stderr, colour=colour), blank, [])
        assert capsys.readouterr().out.count("(nothing)") == 2


def test_an_answer_is_data(asked):
    """For programs: the text of each form, and how far it goes with the one before."""
    told = report_asked.as_data(asked, [])
    assert [(each["hop"], each["same_first"], each["same"]) for each in told["questions"][0]["answers"]] == [
        ("base", None, None),
        ("fused", 2, False),
        ("F16", 4, True),
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"hops": [], "questions": 3}', '{"hops": [{"label": "a", "answers": [{}]}], "questions": []}']
)
def test_what_was_asked_and_is_damaged_is_asked_again(built, text):
    """A folder of an earlier call that is not whole counts as none."""
    from zyc.front import Call, open_front
    from zyc.world import World

    built.write("artifacts/asked/real/x/answers.json", text)
    front = open_front(World(), built.root, Call())
    assert asking.read(front, built.root / "artifacts/asked/real/x") is None


def test_trees_that_are_no_models_are_compared_file_by_file(built):
    """Anything that is kept can be compared, by its name or by the beginning of its digest."""
    told = built.zyc("diff", "grain", "flour", "--json").data
    assert [each["path"] for each in told["files"]] == ["flour.txt", "grain.txt"]
    tree = built.zyc("show", "grain", "--json").data["tree"]
    same = built.zyc("diff", "grain", tree[:12])
    assert same.lines == ["1 files · 1 equal · 0 differ"]
