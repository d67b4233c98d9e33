"""An entry of a list of models: what programs need to know to choose one."""


def entry(told, bundle, known):
    """The user's words, and what the files say."""
    size = sum(each["bytes"] for each in bundle["model"]["files"].values())
    return {
        **told,
        "size": size,
        "engine": bundle["engine"],
        "context": bundle["context"],
        "personas": list(bundle["prompts"]),
        "sources": [known["base"]] if known["base"] else [],
        "licence": known["licence"],
        "rehearsal": known["rehearsal"],
    }
