"""What can be wrong, as data: places, problems, and every sentence that is said about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple


class Span(NamedTuple):
    """A place in a spec: one-based line and column, and how many columns to underline."""

    file: str
    line: int = 1
    column: int = 1
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Says:
    """The wording of one kind of problem; `{words}` are the facts of the case."""

    message: str
    help: str = ""
    also: str = ""  # what the second place is, when a problem has two


WORDING: dict[str, Says] = {
    # --- files as YAML (source) ---
    "unreadable-file": Says("cannot read `{file}`: {reason}", "check that it exists and that you may read it"),
    "not-utf8": Says("`{file}` is not UTF-8 text (byte {offset})", "save it as UTF-8"),
    "file-too-large": Says(
        "`{file}` has {size} bytes; a spec may have {limit}", "large data belongs in a data file that a spec names"
    ),
    "yaml-syntax": Says("this is not valid YAML: {reason}", "{help}"),
    "tab": Says("a tab stands where only spaces can", "replace it by spaces; a text in quotes may hold tabs"),
    "too-deep": Says("values are nested deeper than {limit} levels", "a spec needs far fewer: flatten it"),
    "too-many-values": Says(
        "the file holds more than {limit} values, counting what aliases repeat", "split the file, or write fewer aliases"
    ),
    "too-many-repeats": Says("aliases repeat more than {limit} values", "write fewer aliases"),
    "custom-tag": Says("the tag `{tag}` is not allowed: specs are data, never code", "remove the tag"),
    "unknown-alias": Says("the alias `*{name}` names no anchor above it", "write `&{name}` at the value to repeat"),
    "recursive-alias": Says("the alias `*{name}` holds itself", "an alias can only repeat a value that is complete"),
    "merge-key": Says("merge keys (`<<`) are not part of YAML 1.2", "write the fields out, or use a profile"),
    "duplicate-key": Says("`{key}` is given twice", "remove one of them", also="first given here"),
    "key-not-text": Says("a key must be a word, not {found}", "write `name: value`"),
    "many-documents": Says("a spec holds one YAML document", "move what follows `---` to a file of its own"),
    "not-a-mapping": Says("expected {what}, found {found}", "{help}"),
    "control-character": Says("the file holds the control character {char}", "remove it"),
    "merge-marks": Says(
        "a merge left its marks here", "keep one of the two sides, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`"
    ),
    # --- what a spec says (compile) ---
    "not-a-spec": Says(
        "`{file}` does not start with `zyc: 1`", "write `zyc: 1` as its first line, or move it below a folder named `data`"
    ),
    "unknown-version": Says(
        "this is `zyc: {found}`; this zyc reads `zyc: 1`", "write `zyc: 1`, or use the zyc that it was written for"
    ),
    "unknown-section": Says("no section `{section}`", "{hint}"),
    "later-section": Says("the section `{section}` comes with a later version of zyc", "leave it out until then"),
    "bad-name": Says(
        "`{name}` cannot name {what}",
        "{hint}names are up to {limit} lower-case letters, digits, `_` and `-`, and start with a letter or digit",
    ),
    "duplicate-name": Says(
        "the name `{name}` is given to two nodes", "one project is one namespace: rename one of them", also="first given here"
    ),
    "unknown-use": Says("`use` cannot be `{found}`", "{hint}"),
    "unknown-field": Says("no field `{field}` in {owner}", "{hint}"),
    "missing-field": Says("{owner} has no `{field}`", "it needs one: {about}"),
    "wrong-value": Says("`{field}` in {owner}: expected {what}, found {found}", "{help}", also="its value comes from here"),
    "unknown-choice": Says("`{field}` in {owner} cannot be {found}", "{hint}", also="its value comes from here"),
    "refused-value": Says("{owner}: {reason}", "{help}", also="its value comes from here"),
    "not-a-secret": Says(
        "`{field}` in {owner} takes a secret, written as `$(env.NAME)`", "a secret stands in the environment, never in a spec"
    ),
    "unknown-node": Says("no node `{name}`", "{hint}"),
    "unknown-member": Says("the family `{family}` has no member `{name}`", "{hint}"),
    "not-a-family": Says(
        "`{family}` is one node, so there is no `{name}`", "write `{family}`", also="`{family}` is declared here"
    ),
    "no-way-between": Says(
        "`{field}` in {owner} takes {wanted}; `{name}` is {given}",
        "{hint}",
        also="`{name}` is declared here",
    ),
    "no-twin": Says(
        "`{name}` cannot be rehearsed: it is a model {says}",
        "a twin is of a family that zyc can make from nothing: {families}",
    ),
    "no-twin-data": Says(
        "`{name}` cannot be rehearsed: nothing in its graph is a dataset that a twin could learn from",
        "add a dataset, or build it at its real size",
    ),
    "cycle": Says("these nodes need each other: {path}", "one of them has to do without the next", also="and here"),
    "own-cycle": Says("{owner} needs itself", "name another node"),
    "unknown-measure": Says("{owner} measures no `{measure}`", "{hint}"),
    "odd-bound": Says("{owner} measures `{measure}` as {what}, so `{gate}` says nothing", "{hint}"),
    "no-measures": Says("{owner} measures nothing, so `{gate}` can never hold", "put the gate on a node that measures"),
    # --- vars, profiles, --set, matrix, select, search ---
    "unknown-var": Says("no `{name}` among the vars of this file", "{hint}"),
    "var-nowhere": Says("no spec has a var `{name}`", "{hint}"),
    "var-of-vars": Says("the var `{name}` holds `$(...)`, and nothing is expanded in vars", "write its value out"),
    "expression-in-name": Says("`{name}` holds `$(...)`, and nothing is expanded in names", "write the name out"),
    "unknown-expression": Says("`{text}` means nothing here", "{hint}"),
    "unknown-axis": Says("no `{name}` among the axes of this {space}", "{hint}"),
    "value-in-text": Says("`$({text})` stands inside a text, but its value is {found}", "use it as the whole value"),
    "unused-var": Says(
        "nothing reads the var `{name}`", "use it as `$(vars.{name})`, or as `${variable}` in a step's `run`, or remove it"
    ),
    "unused-axis": Says(
        "nothing in {owner} reads the axis `{name}`",
        "use it as `$(matrix.{name})`, or as `${variable}` in a step's `run`, or remove it",
    ),
    "vars-collide": Says(
        "`{one}` and `{two}` would both be `{variable}` to a step", "rename one of them", also="`{one}` is here"
    ),
    "unknown-profile": Says("no profile `{name}`", "{hint}"),
    "profile-node": Says("the profile sets `{name}`, which no spec declares", "{hint}"),
    "profile-section": Says("`{name}` is declared in `{declared}`, not in `{section}`", "move it to `{declared}` in the profile"),
    "bad-set": Says("`--set {text}` is not NODE.FIELD=VALUE", "{hint}"),
    "set-node": Says("`--set` names `{name}`, which no spec declares", "{hint}"),
    "bad-matrix": Says("the matrix of `{name}`: {reason}", "{help}"),
    "bad-label": Says("{found} cannot stand in the name of a member of `{name}`", "{hint}"),
    "family-too-large": Says(
        "`{name}` would have {count} members; a family may have {limit}", "split it, use `search`, or collect a family in a list"
    ),
    "member-too-long": Says(
        "the members of `{name}` would have names of up to {length} characters; a folder takes {limit}",
        "use fewer axes, or give the values shorter labels",
    ),
    "matrix-and-search": Says("`{name}` has both a matrix and a search", "a search makes its own members: keep one of them"),
    "axes-differ": Says(
        "the families under `{name}` have other values of `{axis}`: {one} has {left}; {two} has {right}",
        "give them the same values, or collect one of them in a list",
    ),
    "uneven-family": Says(
        "the members of `{name}` would have different axes", "give each member of its matrix inputs with the same axes"
    ),
    "select-not-family": Says("`select` takes a family; `{name}` is one node", "write its name alone"),
    "select-nothing": Says("`select` from `{judge}` does not give {wanted}", "{help}"),
    "bad-search": Says("the search of `{name}`: {reason}", "{help}"),
    "env-not-secret": Says(
        "`$(env.{name})` is only for fields that are secrets",
        "a value that is not secret belongs in `vars`, or in a step's `env`",
    ),
    # --- what is known only by looking (gather, check) ---
    "missing-input": Says("`{path}` does not exist; {owner} asks for it in `{field}`", "{hint}"),
    "empty-glob": Says("no file matches `{path}`; {owner} asks for it in `{field}`", "paths are relative to the project's root"),
    "odd-name": Says("the name of `{file}` has a character that cannot be seen", "rename it"),
    "escaping-file": Says("`{file}` is a link that leads out of the project", "copy the file itself there"),
    "escaping-link": Says("`{path}` leads out of the project ({owner}, `{field}`)", "copy the file into the project"),
    "own-output": Says(
        "`{path}` holds what zyc itself writes ({owner}, `{field}`)",
        "name the node that made it in place of its files, or a folder of yours",
    ),
    "unreadable-input": Says("cannot read `{path}`: {reason} ({owner}, `{field}`)", "{hint}"),
    "input-not-text": Says("`{path}` is not UTF-8 text ({owner}, `{field}`)", "save it as UTF-8"),
    "missing-variable": Says("the environment has no `{name}`; {owner} asks for it in `{field}`", "set it: `export {name}=...`"),
    "objection": Says("{says}", "{help}"),
    "licence": Says(
        "`{node}` stands on `{source}` under {licence}, which does not allow {use} use",
        "choose another source, or say `use: {allowed}` in {file}",
        also="`{source}` is declared here",
    ),
    "licence-conditions": Says(
        "commercial use of `{source}` has conditions ({licence})", "it is allowed while {conditions}: read the licence"
    ),
    "bad-template": Says("the template `{template}` {reason}", "{help}"),
    "bad-lock": Says("`{file}` cannot be read: {reason}", "restore it from version control, or remove it and run `zyc lock`"),
    "unpinned": Says("`{name}` has no pin in zyc.lock ({owner}, `{field}`)", "run `zyc lock`; `--frozen` adds none"),
    "unresolvable-pin": Says("`{name}` is not on this machine, so it cannot be pinned ({owner}, `{field}`)", "{hint}"),
    "pin-moved": Says(
        "`{name}` is {found} here; it is pinned to {pinned}", "{remedy}, or move the pin: `zyc lock --upgrade {name}`"
    ),
    "hub-unreached": Says("`{name}`: {why}", "{help}"),
    "hub-offline": Says("`{name}` is not on this machine ({what}), and HF_HUB_OFFLINE is set", "unset it; or {help}"),
    # --- building (runner) ---
    "bad-measures": Says("`measures.json` cannot be kept: {reason}", "write a mapping of names to numbers"),
    "not-made-again": Says(
        "the tree of `{node}` is gone, and making it again failed", "mend `{node}`: what stands on it waits for it"
    ),
    "input-changed": Says(
        "`{node}` changed the result of `{input}`, which it may only read: that result is put aside",
        "build again; write to `out/` only",
    ),
    "disk-short": Says(
        "{what} would take {needed}, and the disk has {free} free",
        "free some: `zyc gc --dry-run` lists what nothing needs any more",
    ),
    "cannot-here": Says(
        "`{node}` cannot run on this machine: {lacks}",
        "run it elsewhere (`zyc render {node}{changes} --as notebook`), correct its `placement`, "
        "or build the rest with `--partial`",
    ),
    "no-device-here": Says("`{node}` cannot run on this machine: {lacks}", "{remedies}; `--partial` builds the rest"),
    "plan-moved": Says("`{node}` {what}", "look again: `zyc plan --out FILE`, then `zyc build --plan FILE`"),
    "not-a-plan": Says("`{file}` is not a plan that this zyc wrote", "`zyc plan --out FILE` writes one"),
    "plan-and-nodes": Says(
        "`--plan {file}` says what to build; the call names nodes, fields or a profile as well", "keep one of them"
    ),
    "no-last-build": Says("nothing was built here yet", "`zyc build` builds all of specs/"),
    "no-log": Says(
        "there is no log of `{node}`", "`zyc plan {node}{changes}` says whether it would run, `zyc build {node}{changes}` runs it"
    ),
    "one-node": Says("`{text}` means {count} nodes; this is about one", "{hint}"),
    "not-asked": Says("{reason}", "{hint}"),
    "not-served": Says("{reason}", "{hint}"),
    "asked-nothing": Says("the script that asks did not come to its end:\n{log}", "its folder below artifacts/ holds all of it"),
    "no-such-log": Says("there is no log {number} of `{node}`, only {count}", "`--attempt 1` is the oldest that is kept"),
    "machine-refuses": Says("`{path}`: {reason}", "check that it is there, that you may use it, and that the disk has room"),
    # --- accepting ---
    "accept-nothing-new": Says("`{node}` is up to date: there is nothing to accept", "leave it out"),
    "accept-nothing-kept": Says(
        "nothing is kept of `{node}`, so nothing can stand for it", "build it: `zyc build {node}{changes}`"
    ),
    "accept-other-kind": Says(
        "`{node}` was a {before} when it was built, and is a {after} now", "build it: `zyc build {node}{changes}`"
    ),
    "accept-gone": Says(
        "the last result of `{node}` ({tree}) is gone from the store, so it cannot stand for anything",
        "build it: `zyc build {node}{changes}`",
    ),
    "accept-unknown-input": Says(
        "the key of `{node}` is not known before `{input}` is built or accepted",
        "`zyc build {input}{changes}`, or `zyc accept {all}{changes}`",
    ),
    # --- faces: away, and home again ---
    "face-not-built": Says(
        "`{node}` cannot be carried away before {inputs} built: its key and its inputs are not known",
        "`zyc build {names}{changes}`",
    ),
    "face-unpinned": Says("`{node}` fetches what has no pin in zyc.lock yet", "`zyc lock`, then render it again"),
    "deploy-what": Says("`{node}` is no deployment: there is nothing to send", "name one of the section `deployments`"),
    "deploy-here": Says(
        "`{node}` goes to `{target}`, which is no place to send to",
        "copy its folder there, or run it: `zyc serve {node}{changes}`",
    ),
    "deploy-nowhere": Says("`{node}` does not say where it goes", "`{field}: OWNER/NAME` in the spec, or `--to OWNER/NAME`"),
    "deploy-unproven": Says(
        "`{node}` is not sent: {reason}", "`zyc build {node}{changes}` makes and proves it, or says what fails"
    ),
    "deploy-no-token": Says(
        "no token is in `{token}`", "put one that may write into that variable for this call; it is kept nowhere"
    ),
    "deploy-refused": Says(
        "`{where}` was not sent: {reason}", "what was sent before it stays there; the same call sends the rest"
    ),
    "face-one-node": Says("`--as {face}` is the face of one node, and the call means {count}", "{hint}"),
    "face-copies": Says(
        "`--as {face}` and `--copy` say different things", "leave `--copy` out: what has to be carried is packed"
    ),
    "adopt-no-file": Says("there is no file `{file}`", "the last cell of the notebook, and the end of the job, write it"),
    "adopt-unreadable": Says(
        "`{file}` cannot be adopted: {reason}", "nothing was changed; pack it again where it was made, and bring that here"
    ),
    "adopt-twin": Says("`{file}` was made of {made}", "{hint}"),
    "adopt-other-kind": Says("`{file}` holds what a {before} gave; `{node}` is a {after}", "name the node that it was made of"),
    "adopt-other-key": Says(
        "`{file}` was made of another `{node}` than the specs have now",
        "{help}",
    ),
    "adopt-unknown-input": Says(
        "the key of `{node}` is not known before `{input}` is built", "`zyc build {input}{changes}`, then adopt it again"
    ),
    "adopt-too-large": Says("`{file}` needs {needed} bytes here; {free} are free", "free some space, and adopt it again"),
    "adopt-one-node": Says("`{text}` means {count} nodes; one result is of one", "name the node that it was made of"),
    "adopt-runs": Says("`{node}` is being made here at this moment", "let it end, or stop it, then adopt again"),
    "adopt-nothing-new": Says(
        "`{node}` is up to date: there is nothing to adopt", "`zyc why {node}{changes}` shows what keeps it"
    ),
    # --- the call ---
    "no-specs": Says("there is no spec below `specs/`", "a spec is a YAML file that starts with `zyc: 1`; `zyc init` writes one"),
    "no-project": Says("no folder named `specs` here or above", "run `zyc init` to start a project here"),
    "no-selection": Says("nothing is called `{text}`", "{hint}"),
    "empty-selection": Says("nothing matches `{text}`", "`zyc ls` shows what there is"),
    "bad-selector": Says("`{text}` is not a way to select nodes", "{hint}"),
    "broken-revision": Says("the specs at `{revision}` are broken themselves", "compare with a revision that `zyc check` passes"),
    "output-there": Says("`{path}` is there already and not empty", "{hint}"),
    "project-there": Says("`{path}` holds a project already", "`{where}zyc plan` shows it"),
    "not-a-revision": Says("git knows no revision `{text}` here", "{hint}"),
    # --- files of other tools (importers) ---
    "not-importable": Says(
        "`{file}` looks like a file of no tool that zyc reads", "say which one it is: `--from` with one of {tools}"
    ),
    "key-refused": Says("`{key}` of {tool}: {why}", "{help}"),
    "spec-there": Says("`{path}` is there already", "`--force` replaces it; `-o` or `--name` writes another one"),
    # --- store and machine ---
    "disk-full": Says("no space left for `{path}`: {reason}", "free some space and build again: nothing half-written is kept"),
    "not-allowed": Says("this machine refuses `{path}`: {reason}", "check who owns it, and whether its disk may be written"),
    "disk-failed": Says("the disk failed at `{path}`: {reason}", "check the disk; `zyc verify` tells what is still whole"),
    "other-disk": Says(
        "`{path}` is on another file system than the store", "keep all of the store's own folder on one file system"
    ),
    "store-format": Says(
        "the store `{store}` has the format `{found}`; this zyc reads `{known}`",
        "use the zyc that made it, or remove artifacts/store",
    ),
    "tree-special": Says("`{path}` is neither a file, a folder nor a link", "a result is made of files: remove it"),
    "tree-link": Says("`{path}` leads out of the result, to `{target}`", "put the file itself there"),
    "tree-shared": Says("`{path}` shares its bytes with another file (a hard link)", "copy it: what is published is read-only"),
    "tree-changed": Says("`{path}` changed while it was read", "something still writes there: let it end, then build again"),
    "store-unnamed": Says(
        "`{store}/FORMAT` does not say `{known}`, and the store is not empty",
        "`zyc verify --repair` looks at all of it, and writes that file again",
    ),
    "sweep-damaged": Says(
        "`{file}` is damaged ({count} such records), so nobody can tell what it keeps: nothing is removed",
        "`zyc verify --repair` puts what is damaged aside; then try again",
    ),
    "unknown-project": Says("the store knows no project `{text}`", "{hint}"),
    "project-still-there": Says("the project `{path}` is still there", "only one that is gone can be forgotten"),
    "store-read-only": Says(
        "`{path}` may not be written, so nothing can be built into it",
        "check who owns it and how its disk is mounted; what is kept there can still be planned and read",
    ),
    "store-busy": Says("the store is in use ({who}): nothing is removed meanwhile", "let the build end, then try again"),
    "tree-differs": Says(
        "what should be the tree `{tree}` came out as `{found}`", "this disk keeps other names or bytes than it is given"
    ),
    "tree-damaged": Says("the tree `{tree}` is not what its name says", "`zyc verify` tells what is still whole"),
    "tree-absent": Says("the tree `{tree}` is not in this store", "build what it comes from"),
    "unreadable-record": Says(
        "`{file}` is not a record that this zyc can read: {reason}", "it counts as absent: it may be removed"
    ),
    "index-missing": Says("the index `{file}` is gone", "nothing is lost: it is made again from the traces"),
    "index-rebuilt": Says("the index `{file}` was damaged: {reason}", "nothing is lost: it is made again from the traces"),
    # --- remotes ---
    "no-remote": Says("`{verb}` wants a remote", "say `--remote` with {hint}"),
    "unknown-remote": Says("no remote `{name}`", "{hint}"),
    "bad-remote": Says("`{remote}` cannot be a remote: {reason}", "give a folder, or a URL such as `s3://bucket/store`"),
    "no-remote-library": Says(
        "`{remote}` needs a library: {reason}", "`pip install 'zyc[remote]'`, or what your kind of URL needs"
    ),
    "remote-missing": Says(
        "`{remote}` holds no results of zyc's", "correct its address; or `zyc push` makes a remote of an empty place"
    ),
    "remote-not-empty": Says("`{remote}` holds something else already", "push to an empty place"),
    "remote-format": Says(
        "the remote `{remote}` has the format `{found}`; this zyc reads `{known}`", "use the zyc that made it, or another place"
    ),
    "remote-failed": Says("`{remote}` failed at `{place}`: {reason}", "try again: what has arrived is not sent twice"),
    "remote-lacks": Says("`{remote}` has no `{place}`", "push it again from where it is whole: `zyc push --again`"),
    "remote-damaged": Says(
        "`{place}` of `{remote}` is not what its name says: {reason}",
        "remove it there, then push it again from where it is whole: `zyc push --again`",
    ),
    "remote-unreadable": Says(
        "`{place}` of `{remote}` is no trace: {reason}", "it counts as absent; `zyc push --again` from where it is whole mends it"
    ),
    "remote-too-large": Says("the tree `{tree}` needs {needed} bytes here; {free} are free", "free some space, and try again"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: its code, the facts of the case, and the places it is about."""

    code: str
    facts: tuple[tuple[str, object], ...] = ()
    spans: tuple[Span, ...] = ()

    def _filled(self, wording: str) -> str:
        return wording.format_map({name: _brief(name, value) for name, value in self.facts})

    @property
    def message(self) -> str:
        """The sentence, with the user's own words in backticks."""
        return self._filled(WORDING[self.code].message)

    @property
    def help(self) -> str:
        """The next step, or nothing."""
        return self._filled(WORDING[self.code].help).strip()

    @property
    def also(self) -> str:
        """What the second place is."""
        return self._filled(WORDING[self.code].also)


def problem(code: str, *spans: Span, **facts: object) -> Problem:
    """A problem of a known code; its facts must fill its wording."""
    if code not in WORDING:
        raise KeyError(f"no wording for the problem `{code}`")
    return Problem(code, tuple(facts.items()), spans)


class ZycError(Exception):
    """The specs or the call are wrong, or this machine cannot: told without a traceback, exit code 2."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("; ".join(each.message for each in self.problems))


def _brief(name: str, fact: object) -> str:
    """A fact that fits into a sentence; only what helps may have lines of its own."""
    text = f"{fact:,}" if isinstance(fact, int) else str(fact)
    if name in ("help", "hint"):
        return clipped(text, 2_000)
    return clipped(" ".join(text.split()) if "\n" in text else text, 240)


def clipped(text: str, most: int) -> str:
    """A text without its middle where it is longer than that."""
    return text if len(text) <= most else f"{text[: most * 3 // 4]}…{text[len(text) - most // 5 :]}"


_MANY = 500  # from here on only words that look alike at first sight are compared


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that the user most likely meant."""
    pool = sorted(set(known))
    if len(word) > 100:
        return None
    if len(pool) > _MANY:
        near = (each for each in pool if abs(len(each) - len(word)) <= 2 and (each[:1] == word[:1] or each[-1:] == word[-1:]))
        pool = list(islice(near, _MANY))
    close = get_close_matches(word, pool, n=1, cutoff=0.6)
    if close:
        return close[0]
    alike = {_plainly(each): each for each in reversed(pool)}
    close = get_close_matches(_plainly(word), alike, n=1, cutoff=0.6)
    return alike[close[0]] if close else None


def _plainly(word: str) -> str:
    return word.lower().replace("_", "-")


def guess(word: str, known: Iterable[str], *, otherwise: str = "", listed: str = "choose one of") -> str:
    """`did you mean ...?`, or what there is."""
    pool = sorted(set(known))
    close = nearest(word, pool)
    if close:
        return f"did you mean `{close}`?"
    return otherwise or listing(pool, listed)


def listing(words: Iterable[str], listed: str) -> str:
    """What there is, the first dozen of it."""
    pool = [f"`{each}`" for each in words]
    if not pool:
        return ""
    return f"{listed} " + ", ".join(pool[:12]) + (f" and {len(pool) - 12:,} more" if len(pool) > 12 else "")
