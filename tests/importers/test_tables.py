"""The tables of keys: every key that the tools' own examples use has a rule, and every rule leads to a field that is there."""

from pathlib import Path

import pytest
from importers.importing import one_key, told

from zyc.craft.aligning import OWNED as NO_SETTINGS
from zyc.craft.aligning import WAYS
from zyc.craft.engines import OWNED, SETTINGS
from zyc.importers import TOOLS, axolotl_alignment, llamafactory, reader_of
from zyc.importers.draft import has_field
from zyc.importers.rules import Verdict

KEYS = Path(__file__).parent / "keys"
MISSPELT = {
    "axolotl": {"context_parapllel_size"},
    "llamafactory": set(),
    "torchtune": set(),
    "mergekit": set(),
    "ollama": set(),
}  # in the examples themselves


def keys(tool):
    """The keys of its examples."""
    lines = (KEYS / f"{tool}.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_key_of_the_examples_is_accounted_for(tool):
    """Whatever a key of the tool's own examples is, its table says what becomes of it, but for those that are misspelt there."""
    table = reader_of(tool).TABLE
    groups = {key for key in keys(tool) if f"{key}." in table.groups or f"{key}[]." in table.groups}
    assert {key for key in keys(tool) - groups if table.rule(key) is None} == MISSPELT[tool]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_rule_says_why_and_what_to_do(tool):
    """What has no effect has a reason; what is refused has a next step, too."""
    for key, rule in reader_of(tool).TABLE.rules.items():
        if rule.verdict is not Verdict.FIELD:
            assert rule.why, key
        if rule.verdict is Verdict.REFUSED:
            assert rule.do, key


@pytest.mark.parametrize("tool", TOOLS)
def test_a_rule_leads_to_a_field(tool):
    """A field that a table names is one of a finetune; a setting of the engine is one that the engine has and zyc has not."""
    for key, rule in reader_of(tool).TABLE.rules.items():
        if rule.verdict is not Verdict.FIELD:
            continue
        assert has_field("finetunes", rule.field), key
        if rule.field.startswith("engine."):
            name = rule.field.removeprefix("engine.")
            assert name in SETTINGS["SFTConfig"], key
            assert name not in OWNED, key


@pytest.mark.parametrize("names", [axolotl_alignment.ENGINE, llamafactory.ENGINE], ids=["axolotl", "llamafactory"])
def test_settings_of_a_method_are_settings_of_its_engine(names):
    """What an alignment passes through is a setting of that method's engine, and no field of zyc's."""
    for method, settings in names.items():
        for name in settings.values():
            assert name in SETTINGS[WAYS[method].config], (method, name)
            assert name not in NO_SETTINGS, (method, name)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_rule_is_reached(tool):
    """Each key of a table, given by itself with a value, gets one row, whatever it is."""
    for key in reader_of(tool).TABLE.rules:
        if "*" in key:
            continue
        seen = told(one_key(key, tool), tool)
        rows = [row for row in seen.made.rows if row.key.replace("[0]", "[]") == key]
        assert len(rows) == 1, (key, [row.key for row in seen.made.rows])


@pytest.mark.parametrize("tool", TOOLS)
def test_a_misspelt_key_is_led_back(tool):
    """A key with a letter too many is refused, and the right one named."""
    table = reader_of(tool).TABLE
    for key in sorted(keys(tool)):
        if "." in key or "[" in key or len(key) < 8 or table.rule(key) is None or table.rule(f"{key}x") is not None:
            continue
        seen = told(one_key(f"{key}x", tool), tool)
        assert seen.row(f"{key}x").help.startswith("did you mean `"), key
