"""The bill of materials, as CycloneDX 1.6 has it: each file with its digest, what it was made of, and what runs it."""

import lineage

HUB = "https://huggingface.co/"
DATA = {"dataset": "dataset", "prompt": "configuration", "index": "dataset"}


def bill(bundle, nodes, packages):
    """All of it, in one order, without a time."""
    components = [*_models(nodes), *_data(nodes), *_programs(bundle, packages)]
    seen = {each["bom-ref"]: each for each in components}
    model = _served(bundle, nodes)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": model, "tools": {"components": [{"type": "application", "name": "zyc"}]}},
        "components": list(seen.values()),
        "dependencies": [{"ref": model["bom-ref"], "dependsOn": list(seen)}],
    }


def _served(bundle, nodes):
    """The model that is served, with each of its files."""
    files = [
        {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": _hash(told["sha256"])}
        for name, told in bundle["model"]["files"].items()
    ]
    told = {"type": "machine-learning-model", "bom-ref": "model", "name": bundle["name"], "components": files}
    if bundle["licence"]:
        told["licenses"] = [lineage.spdx(bundle["licence"])]
    made = lineage.method(nodes)
    if made:
        told["properties"] = [{"name": "zyc:method", "value": made}]
    return told


def _models(nodes):
    """What the weights began as: repositories of hubs at a commit, or models of the project's own."""
    for each in lineage.of_kind(nodes, "model"):
        found = lineage.repository(each)
        told = {"type": "machine-learning-model", "bom-ref": f"model:{each['id']}", "name": each["facts"].get("name") or "model"}
        if found:
            name, commit = found
            told |= {
                "name": name,
                "version": commit or "main",
                "externalReferences": [{"type": "distribution", "url": HUB + name}],
            }
        yield {**told, **_licensed(each)}


def _data(nodes):
    """Datasets, prompts and indexes, each with the files or repositories that it was made of."""
    for each in lineage.of_kind(nodes, *DATA):
        told = {"type": "data", "bom-ref": f"{each['kind']}:{each['id']}", "name": each["kind"], "version": each["id"]}
        told["data"] = [{"type": DATA[each["kind"]], "name": each["kind"]}]
        files = [
            {"type": "file", "bom-ref": f"source:{each['id']}:{at}", "name": name, "hashes": _hash(digest)}
            for at, (name, digest) in enumerate(each["sources"])
            if len(digest) == 64
        ]
        found = lineage.repository(each)
        if found:
            told |= {"name": found[0], "version": found[1] or "main"}
            told["externalReferences"] = [{"type": "distribution", "url": f"{HUB}datasets/{found[0]}"}]
        elif len(files) == 1:
            told["name"] = files[0]["name"]
        yield {**told, **({"components": files} if files else {}), **_licensed(each)}


def _programs(bundle, packages):
    """What runs it."""
    if bundle["engine"] == "llama.cpp" and bundle["llama_cpp"]:
        version = bundle["llama_cpp"]
        told = {"type": "application", "bom-ref": f"llama.cpp@{version}", "name": "llama.cpp", "version": version}
        says = "built from the source that the Python package llama-cpp-python of this version holds"
        yield {**told, "description": says, "licenses": [lineage.spdx("MIT")]}
    for name, version in sorted(packages.items()):
        plain = name.partition("[")[0]
        purl = f"pkg:pypi/{plain.lower()}@{version}"
        yield {"type": "library", "bom-ref": purl, "name": plain, "version": version, "purl": purl}


def _licensed(node):
    licence = node["facts"].get("licence")
    return {"licenses": [lineage.spdx(licence)]} if licence else {}


def _hash(digest):
    return [{"alg": "SHA-256", "content": digest}]
