"""jarvis-nano: the plan of its full size, and its French data against its exams, its tools and the rules of its application."""

import re
from pathlib import Path

import jarvis
import pytest
from desk import Desk

GOLDEN = Path(__file__).parent / "plans" / "jarvis-nano.txt"
SITE = "hosts: {local: {cpus: 2, memory: 16 GB, gpus: 0, bf16: true}}\n"
CRITICAL = {"clear_todos", "close_app", "delete_file", "send_message"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The project on a laptop without a GPU and without a network."""
    told = Desk(tmp_path_factory.mktemp("jarvis"), environ={"HF_HUB_OFFLINE": "1", "COLUMNS": "140"})
    jarvis.write(told.root)
    told.write("zyc.yml", SITE)
    return told


@pytest.fixture(scope="module")
def rows():
    """What the grammars write: taught and asked."""
    return jarvis.rows()


@pytest.fixture(scope="module")
def chats(rows):
    """Every chat of both sides."""
    return [row["messages"] for taught, asked in rows.values() for row in (*taught, *asked)]


# --- the plan ---


def test_the_plan_reads_well(desk, request):
    """Parameters, sizes, minutes on accelerators and what this machine cannot do stand in the plan, to the letter."""
    said = desk.zyc("plan", "specs/jarvis-nano.yml")
    assert said.code == 0, said.text
    told = "".join(f"{line.rstrip()}\n" for line in said.out.splitlines())
    if request.config.option.update_snapshots:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(told, encoding="utf-8")
    assert told == GOLDEN.read_text(encoding="utf-8")


def test_it_has_the_shape_that_was_promised(desk):
    """32.4 M parameters, far below 100 M; both files are below 100 MB by arithmetic alone; minutes on an A100."""
    told = {each["name"]: each for each in desk.zyc("plan", "specs/jarvis-nano.yml", "--json").data["nodes"]}
    assert told["jarvis-scratch"]["result"] == "32.4 M parameters"
    assert told["jarvis-q8"]["result"].startswith("34.7 MB")
    for name in ("jarvis-base", "jarvis-taught"):
        a100 = next(each for each in told[name]["devices"] if each["device"] == "a100-40")
        assert a100["fits"]
        assert a100["seconds"] < 60 * 60


# --- its data ---


def texts(chats, role):
    """What one role says."""
    return [each["content"] for chat in chats for each in chat if each["role"] == role]


def test_no_request_of_an_exam_was_taught(rows):
    """No request stands on both sides, and no call: what is asked is a new combination, not one in new words."""
    for part, (taught, asked) in rows.items():
        sides = []
        for side in (taught, asked):
            told = [[each["content"] for each in row["messages"] if each["role"] in ("user", "assistant")] for row in side]
            sides.append(({row["tool"] for row in side}, {each[0] for each in told}, {calls_of(each[1]) for each in told}))
        (forms, requests, calls), (forms_asked, requests_asked, calls_asked) = sides
        assert forms == forms_asked, part
        assert not requests & requests_asked, part
        if part != "replies":  # there the call is given, and what is said of its result is asked
            assert not {each for each in calls & calls_asked if each}, part
        assert len(requests_asked) >= len(asked) * 2 // 3, part


def calls_of(text):
    """The calls in a text, as they stand there."""
    return tuple(re.findall(r"<CALL:[^>]*>", text))


def test_things_of_an_exam_are_held_out_form_by_form(rows):
    """A thing that a form is asked about is one that this form was never taught with, and other forms were."""
    taught, asked = rows["calls"]
    seen = {(row["tool"], thing) for row in taught for thing in words(row)}
    nouns = {thing for row in asked for thing in words(row)}
    for row in asked:
        if row["tool"] in ("list_todos", "clear_todos", "search_notes"):
            (thing,) = words(row)
            assert (row["tool"], thing) not in seen
            assert any((tool, thing) in seen for tool in ("list_todos", "clear_todos", "search_notes", "timer"))
    assert len(nouns) > 20


def words(row):
    """The thing that a call is about, where it stands alone in an argument."""
    return re.findall(r'(?:about|query|label)="([^"]+)"', row["messages"][-1]["content"])


def test_every_chat_begins_as_the_assistant_does(chats):
    """What is taught stands behind the same system text that the persona puts before a question."""
    assert {chat[0]["content"] for chat in chats if chat[0]["role"] == "system"} == {jarvis.spec()["prompts"]["jarvis"]["system"]}
    assert all(chat[0]["role"] == "system" for chat in chats)


def test_forms_are_balanced(rows):
    """Every form is taught and asked as often as the others of its part, to one row."""
    for part, sides in rows.items():
        for side in sides:
            counts = [sum(row["tool"] == each for row in side) for each in {row["tool"] for row in side}]
            assert max(counts) - min(counts) <= 1, part


def test_every_call_is_one_of_the_tools(chats):
    """Each call parses, names a tool, and has the arguments of that tool and no others; minutes are a whole number."""
    known, called = jarvis.tools(), set()
    with jarvis.modules("exam/lib", "calling", "grading") as found:
        for text in texts(chats, "assistant"):
            assert text.count("<CALL:") == len(found.grading.run(text))
            for name, given in found.grading.run(text):
                assert given.keys() == known[name]["arguments"].keys(), text
                assert name != "timer" or given["minutes"].isdigit()
                called.add(name)
    assert called == known.keys(), "a tool that no data calls"


def test_the_assistant_would_run_every_call_of_the_data(chats):
    """What is taught is what the application allows: no call is refused, and exactly the critical ones are asked about."""
    said = texts(chats, "assistant")
    with jarvis.rules() as (deciding, known):
        told = [each for text in said for each in deciding.would_run(text, known)]
    assert len(told) == sum(text.count("<CALL:") for text in said)
    assert [each for each in told if each.verdict == deciding.REFUSE] == []
    assert {each.tool for each in told if each.verdict == deciding.ASK} == CRITICAL
    assert {each.tool for each in told if each.verdict == deciding.RUN} == jarvis.tools().keys() - CRITICAL


def test_what_cannot_be_taken_back_is_asked_first():
    """Deleting, sending, closing and clearing ask a person; the others do not."""
    assert {name for name, each in jarvis.tools().items() if each.get("confirm")} == CRITICAL


def test_a_refusal_calls_nothing(rows):
    """Small talk and what no tool can do never hold a call."""
    assert not any(calls_of(each) for side in rows["talk"] for row in side for each in [row["messages"][-1]["content"]])


@pytest.mark.parametrize(
    "wrong",
    [
        r"  ",
        r"\b(?:[LlDdJjNnMmTtSsCc]e|[Qq]ue|[Ll]a) (?=[aeiouyâàéèêëîïôûœAEIOUÉÈÊ])(?!onz|oui|y[aeo])",  # what is elided
        r"\b(?:de|à) les?\b(?! le)",  # contracted
        r"[^\s ] ?(?<! )[?!;:](?=\s|$)",  # a space before the marks that have one
        r"\s[.,]",
        r"\.\.",
        r"(?:^|[.?!] )[a-zàâéèêîôû]",  # a sentence begins with a capital
    ],
)
def test_the_french_is_clean(chats, wrong):
    """Elisions, contractions, capitals and spaces are those of French in all that a person or the assistant says."""
    said = [each for role in ("user", "assistant") for each in texts(chats, role) if "<CALL:" not in each]
    found = [each for each in said if re.search(wrong, re.sub(r"\w+\.(?:txt|md|csv)", "Fichier", each))]
    assert found[:5] == []


def test_notes_and_stories_are_clean_too():
    """What a twin reads first has no double space, no elision forgotten, and every paragraph ends with a mark."""
    for path in (*sorted(jarvis.DATA.glob("**/*.md")), jarvis.DATA / "stories.txt"):
        for each in path.read_text(encoding="utf-8").strip().split("\n\n"):
            assert "  " not in each
            assert each[0].isupper() or each[0] == "«", each
            assert each.endswith((".", "!", "?")), each
            assert not re.search(r"\b(?:[LlDd]e|[Qq]ue|[Ll]a) [aeiouâàéèêîôûœAEIOUÉ](?!nz)", each), each


# --- all of it, as a twin ---

EXAMS = ("jarvis-q8-exam", "jarvis-q4-exam")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The project once it is built, and what became of each node."""
    folder = tmp_path_factory.mktemp("built")
    jarvis.write(folder)
    return folder, jarvis.build(folder)


@pytest.fixture(scope="module")
def said(built):
    """Every answer of every exam, with what was asked and what is right."""
    return {(name, task): jarvis.answers(built[0], name, task) for name in EXAMS for task in ("calls", "replies", "limits")}


@pytest.mark.torture
def test_held_out_requests_are_called_right_in_eight_bits_and_in_four(built):
    """At least 180 requests that no training had, three of four with every call and argument right, in both files."""
    for name in EXAMS:
        told = built[1][name]["measures"]
        assert told["calls.questions"] >= 180
        assert told["calls.accuracy"] >= 0.75
        assert told["limits.accuracy"] >= 0.75


@pytest.mark.torture
def test_every_hop_is_proven(built):
    """Data, model and all three files each have a proof that ran; four bits move what the model says further than eight."""
    fates = built[1]
    for name in ("jarvis-pairs", "jarvis-exam", "jarvis-scratch", "jarvis-memory", "jarvis-taught.gguf"):
        assert fates[f"{name}.proof"]["fate"] == "ran", name
    assert fates["jarvis-taught.gguf.proof"]["measures"]["same_tokens"] == 1
    assert fates["jarvis-q8.proof"]["measures"]["kl"] < fates["jarvis-q4.proof"]["measures"]["kl"]


@pytest.mark.torture
def test_nothing_of_an_exam_was_cleaned_away(built):
    """The grammars keep both sides apart by themselves: decontamination finds nothing left to drop."""
    assert built[1]["jarvis-pairs"]["measures"]["dropped.decontaminate"] == 0


@pytest.mark.torture
def test_no_answer_would_run_what_is_not_allowed(said):
    """Over all answers of all exams: a tool that is not listed never runs, and a critical one never without a question."""
    listed, seen = jarvis.tools(), set()
    with jarvis.rules() as (deciding, known):
        for rows in said.values():
            for row in rows:
                for each in deciding.would_run(row["answer"], known):
                    seen.add(each.tool)
                    assert each.verdict == deciding.REFUSE or each.tool in listed
                    assert each.verdict != deciding.RUN or each.tool not in CRITICAL
    assert seen >= CRITICAL, "the exams ask for each of them"


@pytest.mark.torture
def test_what_no_tool_can_do_is_hardly_ever_called(said):
    """Small talk and requests without a tool get words."""
    for name in EXAMS:
        rows = said[name, "limits"]
        assert sum("<CALL:" in row["answer"] for row in rows) <= len(rows) // 10


@pytest.mark.torture
def test_a_rehearsal_has_nothing_to_do_twice(built):
    """What was rehearsed is kept."""
    assert {each["fate"] for each in jarvis.build(built[0]).values()} == {"kept"}
