"""What the recipe of a dataset says of bad input: the file, the line, what is wrong, and the next step."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modules import modules_of

GOOD = b'{"question": "one?", "answer": "1"}\n'


@pytest.fixture
def recipe():
    """The modules that read rows."""
    with modules_of("dataset", "reading", "forms", "flaws", "spool") as found:
        yield found


def told(recipe, path, form="questions", *, per="document"):
    """The rows of a file, and what is said of those that are none."""
    rows, flaws = [], []
    for record in recipe.reading.read(path, recipe.reading.kind_of(path), per=per):
        try:
            row = recipe.forms.normal(recipe.reading.value_of(record), form)
            recipe.spool.Item("", 0, row).line()
            rows.append(row)
        except recipe.flaws.Bad as flaw:
            flaws.append((record.place.rpartition("/")[2], flaw.says, flaw.step))
    return rows, flaws


BAD_ROWS = {
    "a broken line": (
        "a.jsonl",
        GOOD + b'{"question": "two?"\n' + GOOD,
        "a.jsonl:2",
        "not JSON: Expecting ',' delimiter at column 20",
    ),
    "a line of another encoding": (
        "a.jsonl",
        GOOD + '{"question": "où?", "answer": "là"}\n'.encode("latin-1"),
        "a.jsonl:2",
        "not UTF-8: byte 16 is 0xf9",
    ),
    "a line that is a list": ("a.jsonl", GOOD + b"[1, 2]\n", "a.jsonl:2", "a row is a JSON object, not list"),
    "a row without a column": ("a.jsonl", GOOD + b'{"question": "two?"}\n', "a.jsonl:2", "no `answer`, which questions has"),
    "an empty answer": ("a.jsonl", GOOD + b'{"question": "two?", "answer": " "}\n', "a.jsonl:2", "`answer` is empty"),
    "an answer that is a list": (
        "a.jsonl",
        GOOD + b'{"question": "two?", "answer": [1]}\n',
        "a.jsonl:2",
        "`answer` is a list, not text",
    ),
    "half of a character": (
        "a.jsonl",
        GOOD + b'{"question": "two?", "answer": "\\ud83d"}\n',
        "a.jsonl:2",
        "half of a surrogate pair stands in a text",
    ),
    "an answer that is no number": (
        "a.jsonl",
        GOOD + b'{"question": "two?", "answer": NaN}\n',
        "a.jsonl:2",
        "`answer` is nan, which stands for nothing",
    ),
    "an answer that is no option": (
        "a.jsonl",
        GOOD + b'{"question": "two?", "answer": "2", "options": ["1", "3"]}\n',
        "a.jsonl:2",
        "`answer` is none of the `options`",
    ),
    "a table with a short row": ("a.csv", b"question,answer\none?,1\ntwo?\n", "a.csv:3", "1 cells where the header has 2"),
    "a table with a long row": ("a.csv", b'question,answer\n"one\n?",1\ntwo?,2,3\n', "a.csv:4", "3 cells where the header has 2"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_told_with_its_line(recipe, tmp_path, case):
    """The rows round it are rows, and what is wrong with it has a place."""
    name, text, place, says = BAD_ROWS[case]
    (tmp_path / name).write_bytes(text)
    rows, flaws = told(recipe, tmp_path / name)
    assert rows
    assert [flaw[:2] for flaw in flaws] == [(place, says)]


def chat(*messages):
    """A row of messages, as a line."""
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in messages]}).encode() + b"\n"


BAD_CHATS = {
    "an unknown role": (
        chat(("user", "a"), ("bot", "b")),
        "`messages[1]` has the role `bot`",
        "roles are system, user, assistant, tool",
    ),
    "a role of another tool": (
        chat(("human", "a"), ("assistant", "b")),
        "`messages[0]` has the role `human`",
        "did you mean `user`?",
    ),
    "two users in a row": (
        chat(("user", "a"), ("user", "b"), ("assistant", "c")),
        "`messages`: user speaks twice in a row",
        "a chat is",
    ),
    "no answer": (chat(("user", "a")), "`messages`: it ends with user, not with assistant", "a chat is"),
    "a late system message": (
        chat(("user", "a"), ("system", "b"), ("assistant", "c")),
        "`messages`: a system message stands behind the first place",
        "a chat is",
    ),
    "an assistant that begins": (
        chat(("assistant", "a")),
        "`messages`: it begins with assistant, not with the user",
        "a chat is",
    ),
    "an empty answer": (chat(("user", "a"), ("assistant", "")), "`messages[1]` (assistant) is empty", "fill it"),
    "no messages": (b'{"messages": []}\n', "`messages` is an empty list, not a list of messages", ""),
    "text": (b'{"messages": "hello"}\n', "`messages` is text, not a list of messages", "write"),
    "a message without a role": (b'{"messages": [{"content": "a"}]}\n', "`messages[0]` has no `role`", "a message is"),
    "tools that are none": (
        chat(("user", "a"), ("assistant", "b")).replace(b"]}", b'], "tools": "x"}'),
        "`tools` is text that is not JSON",
        "write",
    ),
}


@pytest.mark.parametrize("case", BAD_CHATS)
def test_a_bad_chat_is_told(recipe, tmp_path, case):
    """A role or an order that no template takes is told before anything is trained on it."""
    text, says, step = BAD_CHATS[case]
    (tmp_path / "a.jsonl").write_bytes(text)
    _, flaws = told(recipe, tmp_path / "a.jsonl", "messages")
    assert [flaw[:2] for flaw in flaws] == [("a.jsonl:1", says)]
    assert flaws[0][2].startswith(step)


BAD_FILES = {
    "an empty file": ("a.jsonl", b"", "a.jsonl: the file is empty", "take it out of `from`"),
    "a file of empty lines": ("a.jsonl", b"\n\n", "a.jsonl: there are no rows in it", "take it out of `from`"),
    "a header only": ("a.csv", b"question,answer\n", "a.csv: there are no rows in it", "take it out of `from`"),
    "a packed file that is none": (
        "a.jsonl.gz",
        GOOD,
        "a.jsonl.gz: what is packed in it cannot be read: Not a gzipped file",
        "gzip -t",
    ),
    "a packed file that is cut off": (
        "a.jsonl.gz",
        gzip.compress(GOOD)[:20],
        "a.jsonl.gz: what is packed in it cannot be read: Compressed file ended",
        "pack it again",
    ),
    "a packed file with flipped bits": (
        "a.jsonl.gz",
        gzip.compress(GOOD)[:12] + b"\xff\xff\xff" + gzip.compress(GOOD)[15:],
        "a.jsonl.gz: what is packed in it cannot be read",
        "gzip -t",
    ),
    "UTF-16": ("a.jsonl", GOOD.decode().encode("utf-16"), "a.jsonl: it is UTF-16, not text in UTF-8", "iconv -f UTF-16 -t UTF-8"),
    "parquet that is called otherwise": (
        "a.jsonl",
        b"PAR1xxxx",
        "a.jsonl: it is Parquet, not text in UTF-8",
        "the ending of what it is",
    ),
    "a broken list": ("a.json", b'[\n{"a": 1},\n{"a": 2,,}\n]', "a.json:3: not JSON: Expecting property name", "from here on"),
    "a list that ends early": ("a.json", b'[\n{"a": 1},\n{"a": "two', "a.json:3: not JSON: Unterminated string", "from here on"),
    "a list without commas": ("a.json", b'[\n{"a": 1}\n{"a": 2}]', "a.json:3: not JSON: a `,` or `]` is missing", "from here on"),
    "more behind a list": ("a.json", b'[{"a": 1}]\n[]', "a.json:2: not JSON: more follows the end of the list", "remove"),
    "a list in another encoding": (
        "a.json",
        '[{"a": "où"}]'.encode("latin-1"),
        "a.json near line 1: not UTF-8: byte 10 is 0xf9",
        "iconv -f LATIN1",
    ),
    "a table in another encoding": (
        "a.csv",
        "a\noù\n".encode("latin-1"),
        "a.csv:2: not UTF-8: byte 2 is 0xf9",
        "iconv -f LATIN1",
    ),
    "a text in another encoding": ("a.txt", "a\noù\n".encode("latin-1"), "a.txt:2: not UTF-8: byte 4 is 0xf9", "iconv -f LATIN1"),
    "a column that is there twice": ("a.csv", b"a,a\n1,2\n", "a.csv:1: the column `a` is there twice", "names each column once"),
    "a quote that never closes": ("a.csv", b'a,b\n1,2\n"x,3\n', "a.csv:3: not CSV: unexpected end of data", "close every quote"),
    "lines of an old Macintosh": ("a.csv", b"a,b\r1,2\r", "a.csv:1: not CSV: new-line character", "carriage return alone"),
    "corrupt parquet": (
        "a.parquet",
        b"PAR1 and no more",
        "a.parquet: not a parquet file that can be read",
        "fetch or write the file again",
    ),
    "an empty page": ("a.html", b"", "a.html: the file is empty", "take it out of `from`"),
    "a PDF that is none": ("a.pdf", b"%PDF-1.7 and no more", "a.pdf: not a PDF that can be read", "save it again"),
}


@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.filterwarnings("ignore")  # pypdf tells what it repairs
def test_a_bad_file_is_told(recipe, tmp_path, case):
    """A file that cannot be read says which one it is, where, and what to do."""
    name, text, says, step = BAD_FILES[case]
    (tmp_path / name).write_bytes(text)
    try:
        (bad,) = recipe.reading.read(tmp_path / name, recipe.reading.kind_of(tmp_path / name))
        place, told, next_ = bad.place, bad.flaw, bad.step
        assert name.endswith((".txt", ".pdf", ".html"))  # a file that is a row is a bad row
    except recipe.flaws.Unusable as error:
        place, told, next_ = error.place, error.says, error.step
    assert f"{place.rpartition('/')[2]}: {told}".startswith(says)
    assert step in next_


def test_a_parquet_file_that_is_cut_short_tells_how_far_it_could_be_read(recipe, tmp_path):
    """Damage in the middle is told with the rows before it."""
    table = pa.table({"text": [f"row {at} " * 50 for at in range(2_000)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=500, compression="none")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 5_000] = b"\xff" * 5_000
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(recipe.flaws.Unusable, match=r"(?s)not a parquet file that can be read.*fetch or write"):
        list(recipe.reading.read(tmp_path / "a.parquet", "parquet"))


def test_a_line_of_a_hundred_megabytes_is_one_bad_row(recipe, tmp_path, monkeypatch):
    """A line over the limit is told with its length, without being held, and the row behind it is read."""
    monkeypatch.setattr(recipe.reading, "LONGEST", 1_000)
    (tmp_path / "a.jsonl").write_bytes(GOOD + b'{"question": "' + b"x" * 123_456 + b'"}\n' + GOOD)
    rows, flaws = told(recipe, tmp_path / "a.jsonl")
    assert len(rows) == 2
    assert [(place, says.partition(" (")[0]) for place, says, _ in flaws] == [("a.jsonl:2", "the line is longer than 0 MB")]


GOOD_FILES = {
    "a mark of UTF-8": ("a.jsonl", b"\xef\xbb\xbf" + GOOD),
    "a table with a mark": ("a.csv", b"\xef\xbb\xbfquestion,answer\r\none?,1\r\n"),
    "line ends of elsewhere": ("a.jsonl", GOOD.replace(b"\n", b"\r\n") + b"\r\n"),
    "no line end at all": ("a.jsonl", GOOD.rstrip()),
    "tabs": ("a.tsv", b"question\tanswer\none?\t1\n"),
    "a list": ("a.json", b'[\n  {"question": "one?", "answer": 1}\n]\n'),
    "an object with a list": ("a.json", b'{"data": [{"question": "one?", "answer": "1"}]}'),
    "objects one after the other": ("a.json", GOOD),
    "something packed": ("a.jsonl.gz", gzip.compress(GOOD)),
}


@pytest.mark.parametrize("case", GOOD_FILES)
def test_a_good_file_is_read(recipe, tmp_path, case):
    """Every way to write a row that people use is read alike."""
    name, text = GOOD_FILES[case]
    (tmp_path / name).write_bytes(text)
    assert told(recipe, tmp_path / name) == ([{"question": "one?", "answer": "1"}], [])


def test_a_list_longer_than_a_piece_is_read_piece_by_piece(recipe, tmp_path):
    """Rows that straddle two pieces of a file are whole, and lines are counted on."""
    rows = [{"question": f"{at}? " + "x" * (at % 977), "answer": "é" * (at % 13 + 1)} for at in range(4_000)]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False))
    found = list(recipe.reading.read(tmp_path / "a.json", "json"))
    assert [each.value for each in found] == rows
    assert found[-1].place.endswith(f":{2 + 4 * 3_999}")


def test_a_table_begins_with_its_first_line_that_says_something(recipe, tmp_path):
    """Blank lines before the header are none, and a row keeps its line."""
    (tmp_path / "a.csv").write_bytes(b"\r\n\r\nquestion,answer\r\none?,1\r\n")
    (record,) = recipe.reading.read(tmp_path / "a.csv", "csv")
    assert record.place.endswith("a.csv:4")
    assert record.value == {"question": "one?", "answer": "1"}


PAGE = """<html><head><title>no</title><script>no()</script></head><body><h1>Un &amp; deux</h1>
<p>trois<br>quatre <b>cinq</b></p><ul><li>six</ul><style>no</style></body></html>"""


def test_documents_are_rows_of_text(recipe, tmp_path):
    """A page is its text, a text is a row, a paragraph or a line."""
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "a.md").write_text("# one\ntwo\n\n\nthree\n")
    assert told(recipe, tmp_path / "a.html", "text") == ([{"text": "Un & deux\n\ntrois\nquatre cinq\n\nsix"}], [])
    (tmp_path / "b.html").write_text("<p>a line that is\nbroken at a width</p><pre>one\ntwo</pre>")
    assert told(recipe, tmp_path / "b.html", "text") == ([{"text": "a line that is broken at a width\n\none\ntwo"}], [])
    rows = {
        per: [row["text"] for row in told(recipe, tmp_path / "a.md", "text", per=per)[0]]
        for per in ("document", "paragraph", "line")
    }
    assert rows == {
        "document": ["# one\ntwo\n\n\nthree\n"],
        "paragraph": ["# one\ntwo", "three"],
        "line": ["# one", "two", "three"],
    }


def test_a_pdf_is_its_text(recipe, tmp_path):
    """The text of a PDF is read; one that holds pictures only is told."""
    (tmp_path / "a.pdf").write_bytes(pdf_of("Bonjour Spinoza"))
    assert told(recipe, tmp_path / "a.pdf", "text")[0] == [{"text": "Bonjour Spinoza"}]
    (tmp_path / "b.pdf").write_bytes(pdf_of(""))
    assert "only pictures" in told(recipe, tmp_path / "b.pdf", "text")[1][0][1]


def pdf_of(text):
    """The smallest PDF of one line."""
    drawn = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET" if text else ""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{each}\nendobj\n".encode()
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    data += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return data + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


def test_where_no_row_can_be_read_the_first_one_is_told(tmp_path):
    """A whole file in another encoding: its place, what is wrong and the command that mends it."""
    rows = tmp_path / "a.jsonl"
    rows.write_bytes('{"question": "où?", "answer": "là"}\n'.encode("latin-1") * 3)
    with modules_of("dataset", "making") as found, pytest.raises(SystemExit) as ended:
        found.making._form_of_first([(rows, "jsonl")], "document", {})
    assert "a.jsonl:1: not UTF-8: byte 16 is 0xf9" in str(ended.value)
    assert "iconv -f LATIN1" in str(ended.value)


@pytest.mark.parametrize(("cap", "size", "told"), [(5, 1, (4, 1)), (40, 1, (38, 2)), (5, 4, (4, 4)), (1, 1, (1, 0))])
def test_a_cap_leaves_something_of_each_side(cap, size, told):
    """A few rows that are held out stay held out under a small cap, whole groups of them: no exam asks what was trained."""
    with modules_of("dataset", "making") as found:
        sides = np.array([0] * 380 + [1] * 20, "u1")
        clean = SimpleNamespace(
            spool=SimpleNamespace(rows=400),
            strata=np.zeros(400, "u4"),
            strata_names=[""],
            groups=np.repeat(np.arange(400 // size, dtype="u8"), size),
        )
        kept = found.making.capped(clean, sides, cap, 0)
    assert (kept[sides == 0].sum(), kept[sides == 1].sum()) == told
