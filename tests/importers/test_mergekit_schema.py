"""The keys of the mergekit that is installed are those that an import accounts for."""

import subprocess
import sys
from pathlib import Path

import pytest

KEYS = Path(__file__).parent / "keys" / "mergekit.txt"
FIELDS = """
from mergekit.config import InputModelDefinition, InputSliceDefinition, MergeConfiguration, OutputSliceDefinition
from mergekit.moe.config import Expert, MoEMergeConfig
from mergekit.tokenizer.config import TokenizerConfig
below = {
    "": MergeConfiguration, "slices[].": OutputSliceDefinition, "slices[].sources[].": InputSliceDefinition,
    "models[].": InputModelDefinition, "experts[].": Expert, "tokenizer.": TokenizerConfig,
}
for above, model in [*below.items(), ("", MoEMergeConfig)]:
    print(*(above + name for name in model.model_fields), sep="\\n")
"""


@pytest.mark.slow
def test_every_field_of_mergekits_schemas_is_accounted_for():
    """A new field of mergekit would show here before somebody's key is dropped."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FIELDS], capture_output=True, text=True, check=True)
    known = KEYS.read_text(encoding="utf-8").splitlines()
    given = done.stdout.split()
    lacking = [each for each in given if not any(key == each or key.startswith((f"{each}.", f"{each}[")) for key in known)]
    assert len(given) > 30
    assert lacking == []
