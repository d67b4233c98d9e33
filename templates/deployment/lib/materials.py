"""The bill of materials, as CycloneDX 1.6 has it: every file with its digest, what it comes from, and what runs it."""


def bill(bundle, known, packages):
    """All of it, in one order, without a time."""
    files = [
        {"type": "file", "bom-ref": name, "name": name, "hashes": [{"alg": "SHA-256", "content": told["sha256"]}]}
        for name, told in bundle["model"]["files"].items()
    ]
    runs = [
        {"type": "library", "bom-ref": f"pkg:pypi/{name}@{version}", "name": name, "version": version}
        for name, version in sorted(packages.items())
    ]
    model = {"type": "machine-learning-model", "bom-ref": "model", "name": bundle["name"], "components": files}
    if known["licence"]:
        model["licenses"] = [{"license": {"name": known["licence"]}}]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": model}, "components": runs}
