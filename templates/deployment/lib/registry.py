"""An entry of a list of models: what a program, or a person, needs to know to choose one."""

import lineage


def entry(told, bundle, nodes):
    """The user's words, what the files say, and where they come from."""
    files = bundle["model"]["files"]
    weights = [each for each in lineage.of_kind(nodes, *lineage.MADE) if each["kind"] != "fused"]
    return {
        "id": told["id"],
        "name": told["name"],
        "size": sum(each["bytes"] for each in files.values()),
        "capabilities": told["capabilities"],
        "groups": told["groups"],
        "sources": [{"name": name, "revision": commit} for name, commit in lineage.bases(nodes)],
        "method": lineage.method(nodes),
        "licence": bundle["licence"],
        "engine": bundle["engine"],
        "context": bundle["context"],
        "personas": list(bundle["prompts"]),
        "rehearsal": bundle["rehearsal"],
        "files": [{"path": path, **each} for path, each in files.items()],
        "provenance": {
            "bill": "bom.json",
            "made": [{"kind": each["kind"], "id": each["id"], "settings": each["settings"]} for each in weights],
        },
    }
