"""The page about one's own data, rehearsed as a reader does it: its files, its spec, its command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import story

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "your-own-data.md"


@pytest.mark.slow
def test_the_example_of_the_page_is_rehearsed_whole(tmp_path):
    """Its blocks, copied as they stand, build as a twin: each proof holds, and nothing is blocked."""
    page = story.read(PAGE)
    for block in (block for case in page.cases for block in case.blocks if block.path):
        path = tmp_path / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in block.lines), encoding="utf-8")
    assert any("zyc build report --twin " in line for case in page.cases for block in case.blocks for line in block.lines)
    call = [sys.executable, "-m", "zyc", "build", "report", "--twin", "--json"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    fates = {each["node"]: each["fate"] for each in told if each.get("event") == "end"}
    assert set(fates.values()) == {"ran"}
    assert {"clerk.fused.proof", "clerk.fused.gguf.proof", "clerk-q4.proof", "report"} <= fates.keys()
