"""What a plan says of steps that run at this moment, and of those that were cut short."""

import os
import signal
import subprocess
import time

import pytest
from desk import PROGRAMS

LONG = r"""steps:
  long:
    run: |
      for i in $(seq 900); do
        echo "{\"step\": $i, \"of\": 900}" > state/next
        mv state/next state/progress.json
        echo $i >> state/done
        sleep 0.05
      done
      cp state/done out/done
    placement: {resume: true}
"""


@pytest.fixture
def building(bare):
    """A build in another process, while its one step runs; whatever it leaves is ended."""
    bare.spec(LONG)
    command = [PROGRAMS / "zyc", "build"]
    with subprocess.Popen(command, cwd=bare.root, env=bare.process_environ(), stdout=subprocess.DEVNULL) as build:
        until = time.monotonic() + 20
        while not list(bare.root.glob("artifacts/steps/*/state/done")):
            assert time.monotonic() < until
            time.sleep(0.02)
        yield build
        if build.poll() is None:
            build.send_signal(signal.SIGINT)


@pytest.mark.slow
def test_a_plan_says_what_runs_now_and_from_where_it_would_go_on(bare, building):
    """While a step runs, a plan says so, twice if need be; once it was cut short, how far its state has come."""
    for _ in range(2):
        assert "it runs now" in bare.zyc("plan").out
    assert "zyc logs long --follow" in bare.zyc("why", "long").out
    time.sleep(0.3)
    os.kill(building.pid, signal.SIGINT)
    assert building.wait(20) == 130
    said = bare.zyc("plan").out
    assert "it runs now" not in said
    assert "resume" in said
    assert " of 900" in said
