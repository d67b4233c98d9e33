"""Every effect of a whole build goes wrong once: a crash, a power cut that loses this or that, a disk that refuses."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from test_faults import bench, crashes, cuts, effects, refuses

pytestmark = pytest.mark.torture
__all__ = ["bench"]


def test_a_crash_at_every_effect(bench):
    """The store is whole each time, and the next build ends in the same bytes."""
    for at in range(effects(bench)):
        crashes(bench, at)


@pytest.mark.parametrize("loses", [lambda _: True, lambda at: at % 2, lambda at: at % 3 == 0], ids=["all", "odd", "thirds"])
def test_a_power_cut_at_every_effect(bench, loses):
    """All or a part of what no fsync reached is lost, in whichever order the disk wrote."""
    for at in range(effects(bench)):
        cuts(bench, at, loses)


@pytest.mark.parametrize("once", [True, False], ids=["once", "from then on"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_refuses_every_effect(bench, number, once):
    """It is told in words each time, and nothing half-written is kept."""
    for at in range(effects(bench)):
        refuses(bench, at, number, once=once)
