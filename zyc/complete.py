"""Words for the shell, in the standard library only: what an earlier call learnt, as long as no spec has moved."""

from __future__ import annotations

import os

from zyc import memo
from zyc.world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCRIPTS = {
    "bash": """\
_zyc() {
  local line=${COMP_LINE:0:COMP_POINT} IFS=$'\\n'
  local word=${line##* }
  local before=${word%"${word##*[:=]}"}
  COMPREPLY=($(zyc __complete "$line" 2>/dev/null))
  COMPREPLY=("${COMPREPLY[@]#"$before"}")
}
complete -o default -F _zyc zyc
# eval "$(zyc completion bash)"   in ~/.bashrc
""",
    "zsh": """\
_zyc() {
  local -a found
  found=("${(@f)$(zyc __complete "${LBUFFER}" 2>/dev/null)}")
  compadd -Q -- $found
}
compdef _zyc zyc
# eval "$(zyc completion zsh)"   in ~/.zshrc, after compinit
""",
    "fish": """\
complete -c zyc -a '(zyc __complete (commandline -cp) 2>/dev/null)'
# zyc completion fish | source   in ~/.config/fish/config.fish
""",
}


def answer(line: str) -> list[str] | None:
    """What may stand where the line ends; None when nothing is known yet, or a spec has moved since."""
    told = _read()
    if told is None:
        return None
    verbs, names = told
    _, *words = line.split(" ") if " " in line else [line, ""]
    words = [word for word in words[:-1] if word] + words[-1:]
    return _candidates(words, verbs, names)


def _candidates(words: Sequence[str], verbs: Mapping[str, Mapping[str, Sequence[str]]], names: Sequence[str]) -> list[str]:
    start = words[-1]
    if len(words) == 1:
        return [verb for verb in verbs if verb.startswith(start)]
    options = verbs.get(words[0])
    if options is None:
        return []
    before = words[-2]
    if before in options and options[before] != ["-"]:
        return [value for value in options[before] or names if value.startswith(start)]
    if start.startswith("-"):
        return [option for option in options if option.startswith(start)]
    if "NODES" not in options:
        return []
    # `+name`, `a,b`: only the last part is being written
    cut = max(start.rfind("+"), start.rfind(",")) + 1
    return [start[:cut] + name for name in names if name.startswith(start[cut:])]


def learn(root: str, verbs: Mapping[str, Mapping[str, Sequence[str]]], names: Iterable[str], watched: Iterable[str]) -> None:
    """Keep the words of a project, with what they depend on."""
    import marshal

    seen = tuple((path, memo.stamp(path)) for path in watched)
    plain = {verb: {option: list(values) for option, values in options.items()} for verb, options in verbs.items()}
    path = os.path.join(root, "artifacts", "memo", "words")
    world = World()
    try:
        world.make_folder(os.path.dirname(path))
        world.write(path, memo.sealed(marshal.dumps((seen, plain, list(names)))))
    except OSError:
        return


def _read() -> tuple[Mapping[str, Mapping[str, Sequence[str]]], Sequence[str]] | None:
    import marshal

    root = memo.project_root()
    if root is None:
        return None
    body = memo.unsealed(os.path.join(root, "artifacts", "memo", "words"))
    if body is None:
        return None
    seen, verbs, names = marshal.loads(body)  # noqa: S302  (ours, and summed)
    return None if any(memo.stamp(path) != was for path, was in seen) else (verbs, names)
