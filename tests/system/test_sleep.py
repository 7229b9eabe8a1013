"""A room that is put to sleep and woken many times is what it was, bit by bit. The full size is
`python -m tests.system.endurance --only sleep`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.endurance import APP, dream
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


async def test_a_room_that_slept_many_times_is_bit_equal(tmp_path: Path) -> None:
    # [SLEEP1] [SLEEP2] [STORE5]
    with running(APP, tmp_path) as server:
        assert await dream(server, 40) > 15_000
