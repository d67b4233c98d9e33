"""What the kinds say of a draft: a value that a kind refuses is a refused key of the source."""

from __future__ import annotations

from zyc import kinds
from zyc.compile import Request, Source, compile_specs
from zyc.errors import Problem
from zyc.importers.given import Fate
from zyc.importers.work import Work
from zyc.kept import Kept

_FILE = "imported.yml"


def judge(work: Work) -> None:
    """Compile the draft by itself; each trouble is told of the keys that it comes from."""
    draft, given = work.draft, work.given
    if draft.main is None:
        return
    if kinds.of_section(draft.main.section) is None:
        given.lacks(draft.main.section, f"this zyc has no section `{draft.main.section}`", "use one that has it")
        return
    compiled = compile_specs([Source(_FILE, draft.text().encode())], Request(), Kept())
    for trouble in sorted(compiled.troubles, key=lambda each: each.problem.spans, reverse=True):
        _tell(work, trouble.problem)


def _tell(work: Work, found: Problem) -> None:
    place = work.draft.place(found.spans[0].line) if found.spans else None
    given = work.given
    keys = work.sources.get((place[0].name, place[1]), ()) if place else ()
    if place is not None and place[1]:
        place[0].fields.pop(place[1], None)
    for key in keys:
        given.refuse(key, found.message, found.help or "write another value")
    if not keys and not any(row.fate is Fate.REFUSED for row in given.rows.values()):
        # what is refused already leaves holes; without any, this is ours to tell
        name = f"{place[0].section}.{place[0].name}" if place else found.code
        given.lacks(name, found.message, found.help or "write the file in another way")
