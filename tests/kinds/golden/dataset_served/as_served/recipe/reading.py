"""Files of any kind, record by record, in order, within bounds: each record with its place."""

import csv
import gzip
import html.parser
import io
import json
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from flaws import Bad, Unusable

TYPES = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
    ".txt": "txt", ".text": "txt", ".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".pdf": "pdf",
}  # fmt: skip
LONGEST = 32_000_000  # bytes of one record
LONGEST_DOCUMENT = 256_000_000
MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PAR1": "Parquet", b"PK\x03\x04": "a zip archive", b"%PDF": "PDF"}


class Record(NamedTuple):
    """What was read, and where: `flaw` says why it is none."""

    place: str
    value: object  # a mapping, or the bytes of a line of JSON
    flaw: str = ""
    step: str = ""


def kind_of(path):
    """What a file holds, by its ending; a packed one by the ending before that."""
    suffixes = [each.lower() for each in path.suffixes]
    return TYPES.get(suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1])


def files_of(source, kind):
    """The files of a source with their kinds: itself, or all in it that can be read, in order of their names."""
    if not source.is_dir():
        return [(source, kind)]
    inside = sorted(each for each in source.rglob("*") if each.is_file() and not each.name.startswith("."))
    files = [(each, kind_of(each)) for each in inside]
    unknown = next((path for path, known in files if known is None), None)
    if unknown is not None:
        raise Unusable(named(unknown), "its ending tells no format", f"name files that end in {', '.join(TYPES)}, or a glob")
    if not files:
        raise Unusable(named(source), "there is no file in it", "name a file or folder that holds rows")
    return files


def named(path):
    """A file as its owner knows it: the step sees it through a link."""
    real = path.resolve()
    return str(real.relative_to(Path.home())) if real.is_relative_to(Path.home()) else str(real)


def read(path, kind, *, per="document"):
    """The records of a file. Where a file is one row, what is wrong with it is a bad row; else the file cannot be used."""
    name = named(path)
    if kind not in ("html", "pdf") and (kind not in ("txt", "md") or per != "document"):
        yield from _counted(path, name, kind, per)
        return
    try:
        yield from _counted(path, name, kind, per)
    except Unusable as flaw:
        yield Record(flaw.place, b"", flaw.says, flaw.step)


def _counted(path, name, kind, per):
    if path.stat().st_size == 0:
        raise Unusable(name, "the file is empty", "write rows into it, or take it out of `from`")
    count = 0
    try:
        for record in READERS[kind](path, name, per if kind != "tsv" else "\t"):
            count += 1
            yield record
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        says = f"what is packed in it cannot be read: {error}" + (f" (behind {count:,} rows)" if count else "")
        raise Unusable(name, says, "`gzip -t` tests it: fetch it or pack it again, or give it the ending of what it is") from None
    if count == 0:
        raise Unusable(name, "there are no rows in it", "write rows into it, or take it out of `from`")


def opened(path, name):
    """The bytes of a file without its mark of UTF-8; what is plainly something else is refused."""
    packed = ".gz" in (path.suffix.lower(), path.resolve().suffix.lower())
    file = gzip.open(path) if packed else path.open("rb")  # noqa: SIM115  # whoever called closes it
    start = file.peek(4)[:4] if hasattr(file, "peek") else b""
    for mark, what in MARKS.items():
        if start.startswith(mark):
            step = (
                f"save it as UTF-8: `iconv -f {what} -t UTF-8`" if what.startswith("UTF") else "give it the ending of what it is"
            )
            raise Unusable(name, f"it is {what}, not text in UTF-8", step)
    if start.startswith(b"\xef\xbb\xbf"):
        file.read(3)
    return file


def not_utf8(error):
    """Where a text stops being UTF-8, and how to mend that."""
    return f"not UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}"


RECODE = "save the file as UTF-8; if it was written as Latin-1: `iconv -f LATIN1 -t UTF-8`"


# --- JSON ---


def lines_of_json(path, name, _):
    """One record a line; what a line holds is read by whoever works on it."""
    with opened(path, name) as file:
        number = 0
        while line := file.readline(LONGEST):
            number += 1
            if len(line) >= LONGEST and not line.endswith(b"\n"):
                size = len(line)
                while (more := file.readline(LONGEST)) and not more.endswith(b"\n"):
                    size += len(more)
                flaw = f"the line is longer than {LONGEST // 1_000_000} MB ({(size + len(more)) / 1e6:,.0f} MB)"
                yield Record(f"{name}:{number}", line[:200], flaw, "JSON Lines has one row a line: split what is one")
            elif line.strip():
                yield Record(f"{name}:{number}", line)


def value_of(record):
    """The mapping that a record is; raises Bad when it is none."""
    value = record.value
    if record.flaw:
        raise Bad(record.flaw, record.step)
    try:
        value = json.loads(value.decode("utf-8").rstrip()) if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise Bad(not_utf8(error), RECODE) from None
    except json.JSONDecodeError as error:
        raise Bad(f"not JSON: {error.msg} at column {error.colno}", "correct the line, or remove it") from None
    except RecursionError:
        raise Bad("not JSON that can be read: it is nested too deeply", "flatten the row") from None
    if isinstance(value, dict):
        return value
    raise Bad(f"a row is a JSON object, not {type(value).__name__}", 'write `{"column": ...}`')


def json_file(path, name, _):
    """A list of objects, an object that holds one list of them, or objects one after the other; read piece by piece."""
    with opened(path, name) as file:
        pieces = Pieces(file, name)
        first = pieces.peek()
        if first == "[":
            yield from _items(pieces, name)
            return
        while pieces.peek():
            line, value = pieces.line, pieces.value()
            lists = [each for each in value.values() if isinstance(each, list)] if isinstance(value, dict) else []
            if (
                line == pieces.first
                and not pieces.peek()
                and len(lists) == 1
                and all(isinstance(each, dict) for each in lists[0])
            ):
                yield from (Record(f"{name} row {at}", each) for at, each in enumerate(lists[0], 1))
            else:
                yield _as_row(value, f"{name}:{line}")


def _items(pieces, name):
    pieces.skip("[")
    while pieces.peek() != "]":
        line = pieces.line
        yield _as_row(pieces.value(), f"{name}:{line}")
        if pieces.peek() == ",":
            pieces.skip(",")
        elif pieces.peek() != "]":
            raise Unusable(f"{name}:{pieces.line}", "not JSON: a `,` or `]` is missing", "correct the file from here on")
    pieces.skip("]")
    if pieces.peek():
        raise Unusable(f"{name}:{pieces.line}", "not JSON: more follows the end of the list", "remove what follows")


def _as_row(value, place):
    if isinstance(value, dict):
        return Record(place, value)
    return Record(place, json.dumps(value).encode(), f"a row is a JSON object, not {type(value).__name__}", "")


class Pieces:
    """JSON values one after the other from a stream, with the line that each begins in."""

    def __init__(self, file, name):
        self.file, self.name = file, name
        self.decoder, self.utf8 = json.JSONDecoder(), io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        self.text, self.at, self.line, self.first = "", 0, 1, None

    def _more(self):
        try:
            more = self.utf8.read(1 << 20)
        except UnicodeDecodeError as error:
            raise Unusable(f"{self.name} near line {self.line}", not_utf8(error), RECODE) from None
        if more:
            self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

    def _pass(self, end):
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def peek(self):
        """The next character that means something; empty at the end."""
        while True:
            found = re.compile(r"[^ \t\r\n]").search(self.text, self.at)
            if found:
                self._pass(found.start())
                self.first = self.first or self.line
                return found[0]
            self._pass(len(self.text))
            if not self._more():
                return ""

    def skip(self, mark):
        """Pass a mark that `peek` saw."""
        self._pass(self.at + len(mark))

    def value(self):
        """The next value."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
                if end < len(self.text) or not self._more():
                    self._pass(end)
                    return value
            except json.JSONDecodeError as error:
                if len(self.text) - self.at > LONGEST:
                    says = f"no row ends within {LONGEST // 1_000_000} MB"
                    raise Unusable(f"{self.name}:{self.line}", says, "write one row a line, as JSON Lines") from None
                line = self.line + self.text.count("\n", self.at, error.pos)
                # a text that just ends may go on in the next piece
                ended = error.pos >= len(self.text) - 8 or error.msg.startswith("Unterminated string")
                if not ended or not self._more():
                    raise Unusable(f"{self.name}:{line}", f"not JSON: {error.msg}", "correct the file from here on") from None


# --- tables ---


def table(path, name, separator):
    """The rows of a CSV file by the names in its first line."""
    with opened(path, name) as file:
        lines = Lines(file, name)
        csv.field_size_limit(LONGEST)
        reader = csv.reader(lines, delimiter="\t" if separator == "\t" else ",", strict=True)
        header, line = None, 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                step = "close every quote; write a quote in a text twice"
                if "new-line" in str(error):
                    step = "its lines end with a carriage return alone: `tr '\\r' '\\n'` writes it anew"
                raise Unusable(f"{name}:{line}", f"not CSV: {error.args[0].partition(' - ')[0]}", step) from None
            place, line = f"{name}:{line}", reader.line_num + 1
            if header is None and cells:
                header = [each.strip() for each in cells]
                double = next((each for each in header if header.count(each) > 1), None)
                if double is not None or not all(header):
                    says = f"the column `{double}` is there twice" if double else "a column has no name"
                    raise Unusable(place, says, "the first line names each column once")
            elif cells and len(cells) != len(header):
                flaw = f"{len(cells)} cells where the header has {len(header)}"
                yield Record(place, json.dumps(cells).encode(), flaw, "quote a text that holds a comma or a line end")
            elif cells:
                yield Record(place, dict(zip(header, cells, strict=True)))


class Lines:
    """The lines of a file as text, each within bounds."""

    def __init__(self, file, name):
        self.file, self.name, self.number = file, name, 0

    def __iter__(self):
        return self

    def __next__(self):
        line = self.file.readline(LONGEST)
        self.number += 1
        if not line:
            raise StopIteration
        if len(line) >= LONGEST and not line.endswith(b"\n"):
            says = f"the line is longer than {LONGEST // 1_000_000} MB"
            raise Unusable(f"{self.name}:{self.number}", says, "split what is one")
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unusable(f"{self.name}:{self.number}", not_utf8(error), RECODE) from None


def parquet(path, name, _):
    """The rows of a parquet file, some at a time."""
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield Record(f"{name} row {number}", row)
    except (OSError, ValueError) as error:  # pyarrow's own are one of these
        says = f"not a parquet file that can be read: {str(error).splitlines()[0]}"
        place = f"{name} after row {number}" if number else name
        raise Unusable(place, says, "fetch or write the file again") from None


# --- documents ---


def _whole(path, name):
    with opened(path, name) as file:
        data = file.read(LONGEST_DOCUMENT + 1)
    if len(data) > LONGEST_DOCUMENT:
        says = f"a document of more than {LONGEST_DOCUMENT // 1_000_000} MB"
        raise Unusable(name, says, "`per: paragraph` or `per: line` makes rows of its parts")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unusable(f"{name}:{data.count(10, 0, error.start) + 1}", not_utf8(error), RECODE) from None


def text(path, name, per):
    """A row a document, a paragraph or a line."""
    if per == "document":
        told = _whole(path, name)
        if told.strip():
            yield Record(name, {"text": told})
        return
    with opened(path, name) as file:
        lines, start, held = Lines(file, name), 1, []
        for line in lines:
            if line.strip() and per == "paragraph":
                start = start if held else lines.number
                held.append(line)
            elif line.strip():
                yield Record(f"{name}:{lines.number}", {"text": line.rstrip("\r\n")})
            elif held:
                yield Record(f"{name}:{start}", {"text": "".join(held).rstrip()})
                held = []
        if held:
            yield Record(f"{name}:{start}", {"text": "".join(held).rstrip()})


def page(path, name, _):
    """The text of an HTML page, a row."""
    told = text_of_html(_whole(path, name), page=True)
    if told:
        yield Record(name, {"text": told})


def pdf(path, name, _):
    """The text of a PDF, a row."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        pages = [each.extract_text() for each in PdfReader(path).pages]
    except (PyPdfError, OSError, ValueError, KeyError) as error:
        raise Unusable(
            name, f"not a PDF that can be read: {error}", "open it and save it again, or take it out of `from`"
        ) from None
    told = "\n\n".join(each.strip() for each in pages if each.strip())
    if not told:
        raise Unusable(
            name, "the PDF holds no text, only pictures of it", "recognise its text first (`ocrmypdf`), or take it out"
        )
    yield Record(name, {"text": told})


class _Text(html.parser.HTMLParser):
    """What a reader of a page would read."""

    HIDDEN = ("script", "style", "noscript", "template", "head", "svg")
    BLOCKS = (
        "p", "div", "br", "li", "ul", "ol", "tr", "table", "section", "article", "header", "footer", "nav", "blockquote", "pre",
        "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd", "hr",
    )  # fmt: skip

    def __init__(self, *, page):
        super().__init__(convert_charrefs=True)
        self.parts, self.hidden, self.kept, self.page = [], 0, 0, page

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in self.HIDDEN
        self.kept += tag == "pre"
        self.parts += ["\n"] if tag in self.BLOCKS else [" "] if tag in ("td", "th") else []

    def handle_endtag(self, tag):
        self.hidden -= tag in self.HIDDEN and self.hidden > 0
        self.kept -= tag == "pre" and self.kept > 0
        self.parts += ["\n"] if tag in self.BLOCKS else []

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data.replace("\r", "").replace("\n", " ") if self.page and not self.kept else data)


def text_of_html(source, *, page=False):
    """The text of HTML: without tags and scripts, entities resolved, a line a block; line ends mean nothing in a page."""
    parser = _Text(page=page)
    parser.feed(source)
    parser.close()
    lines = (re.sub(r"[ \t\r\f\v\xa0]+", " ", line).strip() for line in "".join(parser.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


READERS = {
    "jsonl": lines_of_json, "json": json_file, "csv": table, "tsv": table, "parquet": parquet,
    "txt": text, "md": text, "html": page, "pdf": pdf,
}  # fmt: skip
