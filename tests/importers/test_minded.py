"""`zyc import` says what `zyc check` will refuse of the spec that it wrote."""

from desk import Desk

EXPERTS = """\
base_model: Qwen/Qwen2.5-0.5B-Instruct
gate_mode: hidden
experts:
  - {source_model: Qwen/Qwen2.5-0.5B-Instruct, positive_prompts: [chat]}
  - {source_model: Qwen/Qwen2.5-0.5B, positive_prompts: [code]}
"""


def test_a_mixture_that_cannot_be_is_told_when_it_is_imported(tmp_path):
    """Every key has its field, and yet mergekit knows no such mixture: the sentence of the check stands below the table."""
    desk = Desk(tmp_path, environ={"HF_HUB_OFFLINE": "1"})
    desk.spec("models: {}\n", "other")
    desk.write("moe.yml", EXPERTS)
    said = desk.zyc("import", "moe.yml")
    assert said.code == 0, said.text
    assert "refused by `zyc check`" in said.text
    assert "3 models in all" in said.text
    assert desk.zyc("check", "specs/moe.yml").code != 0
