"""The folder of a fleet's sockets is gone with it, at the latest when the next one begins."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from rooms.meeting import meeting_place

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import os, signal, socket
from rooms.meeting import meeting_place
with meeting_place() as folder:
    socket.socket(socket.AF_UNIX).bind(f"{folder}/store")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_it_is_there_for_its_owner_alone_and_gone_at_the_end(tmp_path: Path) -> None:  # [FLEET6]
    with meeting_place() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_fleet_left_the_next_one_clears_away(tmp_path: Path) -> None:  # [FLEET6]
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    [left] = tmp_path.iterdir()
    assert killed.stdout.strip() == str(left)
    with meeting_place() as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_whose_owner_is_gone_is_cleared_away(tmp_path: Path) -> None:  # [FLEET6]
    left = tmp_path / "rooms-fleet-left"
    left.mkdir()
    _socket(left / "store")
    with meeting_place() as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_what_lives_or_isnt_a_fleets_is_left_alone(tmp_path: Path) -> None:  # [FLEET6]
    (tmp_path / "rooms-fleet-diary").mkdir()
    (tmp_path / "rooms-fleet-diary/monday").touch()
    with meeting_place() as one:
        _socket(one / "host")
        with meeting_place() as other:
            assert (tmp_path / "rooms-fleet-diary/monday").is_file()
            assert (one / "host").is_socket()
            assert other != one


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
