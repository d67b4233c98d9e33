"""The model card: metadata that hubs read, and what a person should know before using it."""

from huggingface_hub import ModelCardData


def facts(bundle, known, reports):
    """What stands on it."""
    metadata = ModelCardData(license=known["licence"] or None, base_model=known["base"] or None, pipeline_tag="text-generation")
    return {"metadata": metadata.to_dict(), "name": bundle["name"], "bundle": bundle, "known": known, "reports": reports}


def write(path, told):
    """Metadata in front, then the page."""
    metadata = ModelCardData(**told["metadata"]).to_yaml()
    path.write_text(f"---\n{metadata}\n---\n\n# {told['name']}\n", encoding="utf-8")
