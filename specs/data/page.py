"""A page of two files."""

import html
import sys
from pathlib import Path

greeting, count = (html.escape(Path(path).read_text(encoding="utf-8").strip()) for path in sys.argv[1:3])
print(f"<!doctype html>\n<title>{greeting}</title>\n<h1>{greeting}</h1>\n<p>{count}</p>")
