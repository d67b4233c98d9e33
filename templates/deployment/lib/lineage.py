"""All that a bundle stands on: the nodes behind it, what they were told, the repositories and files that they began with."""

import json
import re
from pathlib import Path

MADE = ("pretrain", "finetune", "fused", "alignment", "distillation", "merge", "quant")  # what changes the weights
# licences that CycloneDX knows by an id of SPDX, by the name that hubs have for them
SPDX = {
    each.lower(): each
    for each in (
        "Apache-2.0", "MIT", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0",
        "GPL-3.0-only", "LGPL-3.0-only", "AGPL-3.0-only", "ODC-By-1.0", "PDDL-1.0", "MPL-2.0",
    )
}  # fmt: skip


def read(path=Path("recipe/lineage.json")):
    """The nodes, inputs first."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return [{**each, "facts": dict(each["facts"]), "settings": json.loads(each["settings"])} for each in told]


def of_kind(nodes, *kinds):
    """The nodes of some kinds, in order."""
    return [each for each in nodes if each["kind"] in kinds]


def behind(nodes, start):
    """The nodes that one was made of, itself last: what evaluations and prompts stand on is no part of it."""
    by_id = {each["id"]: each for each in nodes}
    found, waiting = set(), [start]
    while waiting:
        at = waiting.pop()
        if at in by_id and at not in found:
            found.add(at)
            waiting += [each for _, each in by_id[at]["inputs"]]
    return [each for each in nodes if each["id"] in found]


def repository(node):
    """The repository of a hub that a node is, and the commit; nothing where it is none."""
    for name, commit in node["sources"]:
        found = re.fullmatch(r"hub:(?:datasets/)?([^@]+)@.*", name)
        if found:
            return found[1], commit
    return None


def bases(nodes):
    """The public models that it began with: name and commit."""
    return [told for told in map(repository, of_kind(nodes, "model")) if told]


def method(nodes):
    """What changed the weights, in order, in a few words: `finetune qlora, merge ties, quant Q4_K_M`."""
    return ", ".join(_step(each) for each in of_kind(nodes, *MADE) if each["kind"] != "fused")


def _step(node):
    told = node["settings"]
    word = told.get("method") or told.get("mode") or node["facts"].get("type") or told.get("type")
    return f"{node['kind']} {word}" if word else node["kind"]


def licences(nodes):
    """Every licence that is known of, in order."""
    return sorted({each["facts"]["licence"] for each in nodes if each["facts"].get("licence")})


def spdx(name):
    """A licence as CycloneDX has it: by its id where it has one."""
    known = SPDX.get(name.lower())
    return {"license": {"id": known} if known else {"name": name}}
