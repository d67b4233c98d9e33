"""What a plan tells of datasets before a row is read: facts, counts, and what cannot be."""

import pytest

from zyc.gates import Outlook

GRAMMAR = """grammar: 1
slots:
  cause: [{id: joy, the: la joie}, {id: law, the: la loi}, {id: art, the: l'art}]
  effect: {of: cause}
  ask: ["Que dit {cause.the} de {effect.the} ?", "Et {effect.the}, {cause.the} ?"]
distinct: [cause, effect]
columns: {topic: "{cause}"}
copies: {each: 1, vary: [ask]}
forms:
  plain:
    messages:
      - user: "{ask}"
      - assistant: "{cause}, {effect}"
"""


@pytest.fixture
def desk(workshop):
    """A project with a grammar and some files."""
    workshop.write("data/g.grammar.yml", GRAMMAR)
    workshop.write("data/five.jsonl", '{"text": "a"}\n\n' * 5)
    workshop.write("data/three.csv", "question,answer\r\na,1\r\nb,2\r\nc,3\r\n")
    for name in ("one.md", "two.md"):
        workshop.write(f"data/docs/{name}", "# Title\n\ntext\n")
    return workshop


def facts(desk, fields, **more):
    """What is known of a dataset with these fields."""
    others = "".join(f"  {name}: {{{told}}}\n" for name, told in more.items())
    desk.spec(f"datasets:\n{others}  my-data: {{{fields}}}\n")
    return desk.front().settlement.nodes["my-data"].facts


def test_rows_are_counted_where_they_are_lines(desk):
    """Lines that hold something, rows of a table without its header, documents; paragraphs only reading can count."""
    assert facts(desk, "from: data/five.jsonl").rows == 5
    assert facts(desk, "from: data/three.csv").rows == 3
    assert facts(desk, 'from: "data/docs/*.md"').rows == 2
    assert facts(desk, 'from: "data/docs/*.md", per: line').rows == 4
    assert facts(desk, "from: data/docs/one.md, per: paragraph").rows is None
    assert facts(desk, "from: [data/five.jsonl, data/three.csv]").rows == 8
    assert facts(desk, "from: data/five.jsonl, cap: 3").rows == 3


def test_a_table_that_cannot_be_read_is_told_by_the_build(desk):
    """A plan knows nothing of it, and does not break."""
    desk.write("data/old.csv", "question,answer\ra,1\rb,2\r")
    assert facts(desk, "from: data/old.csv, map: {question: question, answer: answer}").format is None


def test_a_value_within_a_column_has_its_column(desk):
    """`map` may name a path: what stands before the first point is what a file must have."""
    desk.write("data/nested.jsonl", '{"q": {"text": "a"}, "a": ["1"]}\n')
    assert facts(desk, "from: data/nested.jsonl, map: {question: q.text, answer: a.0}").format == "questions"
    desk.spec("datasets: {my-data: {from: data/nested.jsonl, map: {question: r.text}}}")
    ((_, _, told),) = desk.problems()
    assert "no row of `data/nested.jsonl` has a column `r`" in str(told)


def test_a_line_feed_ends_a_row_and_no_other_sign_does(desk):
    """A U+2028 in a text leaves all rows known: a column that none has is refused."""
    desk.write("data/odd.jsonl", '{"question": "one\u2028two", "answer": "1"}\n')
    desk.spec("datasets: {my-data: {from: data/odd.jsonl, map: {question: ask}}}")
    ((_, _, told),) = desk.problems()
    assert "no row of `data/odd.jsonl` has a column `ask`" in str(told)


def test_facts_follow_from_sources(desk):
    """The form, the share that is held out, turns and licence, as far as the spec or its sources tell them."""
    generate = "generate: {grammar: data/g.grammar.yml, count: 6, holdout: {slots: [cause, effect], share: 20%}}"
    told = facts(desk, generate)
    assert (told.format, told.rows, told.test, told.turns) == ("messages", 6, 0.2, "single")
    told = facts(desk, "from: my-old, split: {test: 10%}", **{"my-old": f"{generate}, licence: mit"})
    assert (told.format, told.rows, told.test, told.turns, told.licence) == ("messages", 6, 0.1, "single", "mit")
    desk.write("data/orders.jsonl", '{"instruction": "a", "output": "b"}\n')
    told = facts(desk, "from: data/orders.jsonl, format: alpaca")
    assert (told.format, told.test, told.turns) == ("messages", 0.0, "single")
    assert facts(desk, "from: data/docs").format == "text"
    assert facts(desk, "from: data/three.csv, map: {question: question, answer: answer}").format == "questions"
    assert facts(desk, "from: {my-a: 75%, my-b: 25%}", **{"my-a": "from: data/five.jsonl", "my-b": "from: data/docs"}).rows == 7


def test_the_first_rows_tell_that_chats_are_long(desk):
    """Two answers in one row are many turns; rows of one answer say nothing of those that follow."""
    turn = '{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}'
    desk.write("data/one.jsonl", f'{{"messages": [{turn}]}}\n')
    desk.write("data/two.jsonl", f'{{"messages": [{turn}]}}\n{{"messages": [{turn}, {turn}]}}\n')
    desk.write("data/half.jsonl", f'{{"talk": [{turn}, {turn}]}}\n{{"talk": [')
    assert facts(desk, "from: data/one.jsonl").turns is None
    assert facts(desk, "from: data/two.jsonl").turns == "multi"
    assert facts(desk, "from: [data/one.jsonl, data/two.jsonl]").turns == "multi"
    assert facts(desk, "from: data/half.jsonl, map: {messages: talk}").turns == "multi"


def test_the_first_row_tells_the_form(desk):
    """A plan looks at how a file begins: what a row is, and which columns it has."""
    desk.write("data/pairs.jsonl", '\ufeff{"instruction": "do", "output": "done", "topic": "x"}\n')
    desk.write("data/list.json", '[\n {"prompt": "a", "chosen": "b", "rejected": "c"}]')
    desk.write("data/table.tsv", "enonce\treponse\na\tb\n")
    assert facts(desk, "from: data/pairs.jsonl").format == "messages"
    assert facts(desk, "from: data/list.json").format == "preference"
    assert facts(desk, "from: data/table.tsv").format is None
    assert facts(desk, "from: data/table.tsv, map: {question: enonce, answer: reponse}").format == "questions"
    assert facts(desk, "from: [data/pairs.jsonl, data/list.json]").format is None
    desk.spec("datasets: {my-data: {from: data/pairs.jsonl, split: {test: 10%, group: topik}}}")
    (problem,) = desk.problems()
    assert problem[2]["says"] == "the first row of `data/pairs.jsonl` has no column `topik`"
    desk.spec("datasets: {my-data: {from: data/table.tsv, map: {question: enonce, answer: response}}}")
    (problem,) = desk.problems()
    assert problem[2]["says"] == "no row of `data/table.tsv` has a column `response`"


def test_columns_are_those_of_all_rows_or_nobodys(desk):
    """A row may have a column that the first one has not: what a file may still hold is refused by nobody."""
    desk.write("data/short.jsonl", '{"question": "a", "answer": "b"}\n{"question": "c", "answer": "d", "area": "e"}\n')
    desk.write("data/table.tsv", "topic\n")
    told = facts(desk, "from: [data/short.jsonl, data/table.tsv], map: {kind: {value: x}, where: area}").columns
    assert told == ("answer", "kind", "question", "topic", "where")
    desk.write(
        "data/long.jsonl", '{"question": "a", "answer": "b"}\n' * 100_000 + '{"question": "c", "answer": "d", "area": "e"}\n'
    )
    assert facts(desk, "from: data/long.jsonl, map: {where: area}").columns is None
    for unknown in ("list.json", "table.parquet", "torn.jsonl"):
        desk.write(f"data/{unknown}", '{"question": "a",')
        assert facts(desk, f"from: data/{unknown}").columns is None


def test_a_gate_on_rows_is_answered_by_counting(desk):
    """More rows than there are lines cannot be; fewer may be, where something drops them."""
    desk.spec("""
datasets:
  my-exact: {from: data/five.jsonl, gates: [rows = 5, rows >= 6]}
  my-fewer: {from: data/five.jsonl, clean: [drop: duplicates], gates: [rows = 1, rows >= 6]}
""")
    decisions = desk.plan().decisions
    assert [gate.verdict for gate in decisions["my-exact"].gates] == [Outlook.COULD, Outlook.CANNOT]
    assert [gate.verdict for gate in decisions["my-fewer"].gates] == [Outlook.COULD, Outlook.CANNOT]
    assert decisions["my-exact"].estimate.result == "5 rows"


GENERATE = "generate: {grammar: data/g.grammar.yml, count: 6"
CANNOT = {
    "prompts before what is asked nothing": (
        "from: my-text, served: my-one",
        "rows of text are no chats, and a prompt is put before chats",
    ),
    "prompts and no column": (
        "from: data/old.jsonl, served: {prompts: [my-one, my-two]}",
        "nothing says which chat is under which of 2 prompts",
    ),
    "a column for one prompt": (
        "from: data/old.jsonl, served: {prompts: my-one, by: topic}",
        "there is one prompt, and a column to choose it by",
    ),
    "prompts of one label": (
        "from: data/old.jsonl, served: {prompts: [my-one, my-one], by: topic}",
        "two prompts have one label",
    ),
    "a column that chooses and is not there": (
        "from: data/old.jsonl, served: {prompts: [my-one, my-two], by: topik}",
        "the first row of `data/old.jsonl` has no column `topik`",
    ),
    "a column that chooses and nobody writes": (
        f"{GENERATE}}}, served: {{prompts: [my-one, my-two], by: topik}}",
        "`data/g.grammar.yml` has no column `topik`",
    ),
    "no source": ("format: text", "a dataset needs a source"),
    "shares that do not sum": ("from: {data/five.jsonl: 60%, data/docs: 30%}", "the shares of the sources sum to 90%"),
    "a share for some": (
        "from: [{path: data/five.jsonl, weight: 50%}, data/docs]",
        "some sources have a share and some have none",
    ),
    "an ending that says nothing": ("from: data/words.xyz", "the ending of `data/words.xyz` tells no format"),
    "a field of the hub": ("from: data/five.jsonl, subset: small", "`subset` is about the hub, and there is no `hub`"),
    "another form": ("from: my-text, format: questions", "it holds text, and `format` is questions"),
    "two forms": ("from: [my-text, my-asked]", "it holds questions, and another source text"),
    "a format that the first row has not": (
        "from: data/three.csv, format: preference",
        "the first row of `data/three.csv` has no `chosen`, which preference has",
    ),
    "an unknown slot": (f"{GENERATE}, balance: {{reason: even}}}}", "`data/g.grammar.yml` has no slot `reason`"),
    "an unknown slot to hold out": (f"{GENERATE}, holdout: {{slots: reason}}}}", "`data/g.grammar.yml` has no slot `reason`"),
    "an unknown value": (f"{GENERATE}, balance: {{cause: {{joi: 100%}}}}}}", "`joi` is no value of `cause`"),
    "shares of values": (
        f"{GENERATE}, balance: {{cause: {{joy: 50%, law: 20%}}}}}}",
        "the shares of `cause` sum to 0.7, not to 1",
    ),
    "items of values": (
        f"{GENERATE}, balance: {{cause: {{joy: 4, law: 4}}}}}}",
        "the items of `cause` sum to 8, and `count` is 6",
    ),
    "more items than there are": (
        "generate: {grammar: data/g.grammar.yml, count: 60}",
        "the form `plain` has 18 different items at most, and 60 are asked for",
    ),
    "no whole families": (
        "generate: {grammar: data/g.grammar.yml, count: 5}",
        "an item and its 1 copies are 2, and `count` is 5",
    ),
    "a hold-out that cannot be": (
        f"{GENERATE}, holdout: {{slots: [cause, effect], share: 95%}}}}",
        "0.95 of 9 combinations cannot be held out while each value stays in another one",
    ),
    "a combination that is none": (
        f"{GENERATE}, holdout: {{slots: [cause, effect], combinations: [[joy, lwa]]}}}}",
        "`lwa` is no value of `effect`",
    ),
    "a copy that is balanced": (
        f"{GENERATE}, balance: {{ask: even}}}}",
        "`ask` is drawn again for each copy, so it can be neither balanced nor held out",
    ),
    "a side without a hold-out": (f"{GENERATE}, side: test}}", "there is no test side without `holdout`"),
    "a column that nobody writes": (
        f"{GENERATE}}}, split: {{test: 50%, group: origin}}",
        "`data/g.grammar.yml` writes no column `origin`",
    ),
}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_be_is_told_before_anything_runs(desk, case):
    """Each of these is one sentence, with a next step."""
    fields, says = CANNOT[case]
    desk.write("data/words.xyz", "?")
    desk.write("data/old.jsonl", '{"messages": [{"role": "user", "content": "a"}], "topic": "my-one"}\n')
    others = "  my-text: {from: data/docs}\n  my-asked: {from: data/three.csv, format: questions}\n"
    desk.spec(f"prompts: {{my-one: One., my-two: Two.}}\ndatasets:\n{others}  my-data: {{{fields}}}\n")
    told = [(code, facts["says"]) for _, code, facts in desk.problems()]
    assert ("objection", says) in told
    assert len(told) == 1


FLAWS = {
    "no version": ("grammar: 1", "grammar: 2", "1: a grammar starts with `grammar: 1`"),
    "an unknown slot in a text": (
        '"{cause}, {effect}"',
        '"{caus}"',
        "10: the form `plain` names the slot `caus`, which is not there",
    ),
    "an unknown part": (
        "{cause.the} de",
        "{cause.of} de",
        "3: `joy`, a value of `cause`, has no part `of`, which the slot `ask` names",
    ),
    "a stray brace": ('"{cause}, {effect}"', '"{cause"', "13: `{cause` names no slot"),
    "a role that is none": ("- user:", "- usr:", "12: a message of `plain` has one role, not `usr`"),
    "a value without a name": ("{id: law, the: la loi}", "{the: la loi}", "3: a value of `cause` with parts needs an `id`"),
    "a value that is there twice": ("id: law", "id: joy", "3: `joy` is twice among the values of `cause`"),
    "a slot of nothing": ("{of: cause}", "{of: cases}", "4: the slot `effect` names the slot `cases`, which is not there"),
    "a slot that holds itself": ('"Et {effect.the}', '"Et {ask} {effect.the}', "5: the values of `ask` hold `{ask}` again"),
    "a word that is none": ("distinct:", "distinkt:", "6: a grammar has no `distinkt`"),
    "no YAML": ("slots:", "slots: [", ""),
}


@pytest.mark.parametrize("case", FLAWS)
def test_a_wrong_grammar_is_told_with_its_line(desk, case):
    """A grammar is checked like a spec."""
    old, new, says = FLAWS[case]
    assert old in GRAMMAR
    desk.write("data/g.grammar.yml", GRAMMAR.replace(old, new, 1))
    desk.spec("datasets: {my-data: {generate: {grammar: data/g.grammar.yml, count: 6}}}")
    told = [facts["says"] if code == "objection" else code for _, code, facts in desk.problems()]
    assert [each.removeprefix("data/g.grammar.yml").removeprefix(":").strip() for each in told] == [says or "unreadable-input"]


def test_telling_languages_apart_is_in_the_estimate(desk):
    """Lingua holds a model of each language, and is slower the more there are."""
    desk.write("data/many.jsonl", '{"text": "le chat dort"}\n' * 20_000)

    def estimate(fields):
        desk.spec(f"datasets: {{my-data: {{from: data/many.jsonl{fields}}}}}")
        return desk.front().settlement.nodes["my-data"].estimate

    none, few, every = map(estimate, ("", ", clean: [language: {keep: fr, among: [fr, en]}]", ", clean: [language: fr]"))
    assert none.memory + 50e6 < few.memory < every.memory - 500e6
    assert none.seconds.high < few.seconds.high < every.seconds.high
