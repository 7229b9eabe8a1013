"""The command line, as processes: what is printed, what is served, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from rooms.__main__ import main
from rooms.welcome import qr_code
from tests.ports import free_port
from tests.rooms.commands import COUNTER, DIRECTLY, ROOT, WITHIN_S, ask, rooms

pytestmark = pytest.mark.system


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the counter in it."""
    (tmp_path / "counter.py").write_text(COUNTER)
    return tmp_path


@pytest.fixture
def port() -> str:
    return str(free_port())


# ---------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["nosuch"], "argument COMMAND: invalid choice: 'nosuch'"),
        (["dev"], "the following arguments are required: APP"),
        (["serve", "counter.py", "--hosts", "0"], "--hosts 0: take a number from 1 to 64"),
        (["host", "counter.py"], "sqlite:///rooms.db is one process's"),
        (["router", "--pages", "nowhere"], "sqlite:///rooms.db is one process's"),
        (["serve", "counter.py", "--port", "x"], "--port x: a port is a number"),
        (["serve", "counter.py", "--log-format", "xml"], "--log-format xml: take text or json"),
        (["serve", "nothing.py"], "there is no file nothing.py"),
        (["dev", "counter.py", "--lan", "--bind", "::1"], "--lan binds all addresses"),
        (["check", "nothing.py"], "there is no file nothing.py"),
        (["list"], "there is no store rooms.db yet"),
        (["list", "--store", "x.db"], "'x.db' names no store"),
        (["show", "counter"], "counter: a session is named kind/session"),
        (["send", "counter/a"], "the following arguments are required: EVENT"),
        (["send", "counter/a", "{x", "--url", "http://127.0.0.1:9"], "set ROOMS_SECRET"),
        (["import", "nothing.jsonl"], "nothing.jsonl can't be read"),
        (["list", "--url", "nowhere"], "set ROOMS_SECRET"),
        (["new", "counter.py"], "counter.py exists already"),
        (["new", "counter.py/mine"], "counter.py/mine can't be made: Not a directory"),
        (["new", ""], ". exists already"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_status_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"rooms: {line}")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["serve", "counter.py", "--port", "0", "--store", "x.db"], "'x.db' names no store"),
        (["serve", "counter.py", "--bind", "192.0.2.7"], "can't listen on 192.0.2.7"),
        (["dev", "nothing.py"], "there is no file nothing.py"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_server_that_cannot_begin_says_so_in_one_line(
    folder: Path, arguments: list[str], line: str
) -> None:
    with rooms(folder, *arguments) as command:
        assert command.ended() == 2
        [said] = command.lines
        assert said.startswith(f"rooms: {line}")


def test_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(r"skyrooms \d+\.\d+.*\n", capsys.readouterr().out)


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "Serve an App" in capsys.readouterr().out


# ---------------------------------------------------------------- serve


def test_serve_prints_one_line_when_it_accepts_and_ends_when_told(folder: Path, port: str) -> None:
    with rooms(folder, "serve", "counter.py", "--port", port) as command:
        url = command.until("ready").removeprefix("ready ")
        assert url == f"http://127.0.0.1:{port}"
        assert ask(f"{url}/rooms/counter/a", {"type": "increment"})["outcome"] == "accepted"
        command.process.send_signal(signal.SIGTERM)
        assert command.ended() == 0
        assert command.lines == [f"ready {url}"]


def test_a_taken_port_is_named(folder: Path, port: str) -> None:
    with socket.create_server(("127.0.0.1", int(port))):
        with rooms(folder, "serve", "counter.py", "--port", port) as command:
            assert command.ended() == 2
        [line] = command.lines
        assert line.startswith(f"rooms: can't listen on 127.0.0.1 port {port}: Address already")


def test_options_may_be_variables(folder: Path, port: str) -> None:
    variables = {
        "ROOMS_PORT": port,
        "ROOMS_STORE": "sqlite:///other.db",
        "ROOMS_LOG_FORMAT": "json",
    }
    with rooms(folder, "serve", "counter.py", **variables) as command:
        assert command.until("ready") == f"ready http://127.0.0.1:{port}"
        assert (folder / "other.db").exists()


# ---------------------------------------------------------------- sessions


def said(folder: Path, *arguments: str, status: int = 0, **environ: str) -> list[str]:
    with rooms(folder, *arguments, **environ) as command:
        assert command.ended() == status, command.lines
        return command.lines


def test_sessions_are_operated_the_same_with_a_server_and_without(  # [ADMIN7]
    folder: Path, port: str
) -> None:
    def operate(**how: str) -> None:
        app = ("--app", "counter.py") if how else ()
        if app:
            [asked] = said(folder, "send", "counter/a", "increment", status=2)
            assert asked.endswith("rooms.db open: name its App with --app")
        [outcome] = said(folder, "send", "counter/a", "increment", *app)
        assert json.loads(outcome)["outcome"] == "accepted"
        [outcome] = said(folder, "send", "counter/a", '{"type": "nosuch"}', *app)
        assert json.loads(outcome)["outcome"] == "ignored"
        assert said(folder, "list")[1].split()[:2] == ["counter/a", "2"]
        shown = json.loads("\n".join(said(folder, "show", "counter/a")))
        assert shown["snapshot"]["context"] == {"count": 2}
        exported = said(folder, "export")
        assert [json.loads(line)["session"] for line in exported] == ["a"]
        (folder / "a.jsonl").write_text(exported[0].replace('{"count":2}', '{"count":7}'))
        [conflict] = said(folder, "import", "a.jsonl", status=1)
        assert conflict == "line 1: counter/a exists; --replace puts this in its place"
        assert said(folder, "delete", "counter/a") == ["deleted counter/a"]
        assert said(folder, "list") == ["no sessions"]
        assert said(folder, "show", "counter/a", status=1) == [
            "rooms: there is no session counter/a"
        ]
        assert said(folder, "import", "a.jsonl") == ["imported counter/a at revision 2"]
        new = f"sqlite:///new{len(how)}.db"  # as on a new machine
        assert said(folder, "import", "a.jsonl", "--store", new) == [
            "imported counter/a at revision 2"
        ]
        assert "counter/a" in "".join(said(folder, "list", "--store", new))
        shown = json.loads("\n".join(said(folder, "show", "counter/a")))
        assert shown["snapshot"]["context"] == {"count": 7}

    with rooms(folder, "serve", "counter.py", "--port", port) as server:
        url = server.until("ready").removeprefix("ready ")
        ask(f"{url}/rooms/counter/a", {"type": "increment"})
        operate()
        assert ask(f"{url}/rooms/counter/a")["view"]["context"] == {"count": 7}
        said(folder, "delete", "counter/a")
        ask(f"{url}/rooms/counter/a", {"type": "increment"})
        server.process.send_signal(signal.SIGINT)
        assert server.ended() == 0
        assert server.lines == [f"ready {url}"]
    operate(app="counter.py")


def test_check_finds_what_an_app_cannot_restore(folder: Path, port: str) -> None:
    with rooms(folder, "serve", "counter.py", "--port", port) as server:
        url = server.until("ready").removeprefix("ready ")
        ask(f"{url}/rooms/counter/a", {"type": "increment"})
        kind = "counter: Counter, machine counter, version 1"
        assert said(folder, "check", "counter.py") == [kind]
        (folder / "newer.py").write_text(COUNTER.replace('"version": "1"', '"version": "2"'))
        lines = said(folder, "check", "newer.py", status=1)
        assert "counter/a: this room can't be restored" in lines[1]


def test_the_kept_past_is_listed_and_shown(folder: Path, port: str) -> None:  # [ADMIN9]
    source = COUNTER.replace("view = everything", "view = everything\n    history = 10")
    (folder / "counter.py").write_text(source)
    with rooms(folder, "serve", "counter.py", "--port", port) as server:
        url = server.until("ready").removeprefix("ready ")
        for _ in range(3):
            ask(f"{url}/rooms/counter/a", {"type": "increment"})
        lines = said(folder, "history", "counter/a")
        assert [line.split()[0] for line in lines] == ["REVISION", "1", "2", "3"]
        assert lines[2].endswith("increment")
        past = json.loads("\n".join(said(folder, "history", "counter/a", "--at", "2")))
        assert past["snapshot"]["context"] == {"count": 2}
        [line] = said(folder, "history", "counter/a", "--at", "9", status=1)
        assert line == "rooms: revision 9 of counter/a isn't kept"


def test_check_without_a_store_says_so(folder: Path) -> None:
    lines = said(folder, "check", "counter.py")
    assert lines[1].startswith("stored sessions weren't looked at: there is no store rooms.db yet")


def test_a_watcher_sees_each_change_and_the_end(folder: Path, port: str) -> None:  # [ADMIN4]
    with rooms(folder, "serve", "counter.py", "--port", port) as server:
        url = server.until("ready").removeprefix("ready ")
        ask(f"{url}/rooms/counter/a", {"type": "increment"})
        with rooms(folder, "watch", "counter/a") as watcher:
            assert json.loads(watcher.until("view"))["view"]["context"] == {"count": 1}
            ask(f"{url}/rooms/counter/a", {"type": "increment"})
            assert json.loads(watcher.until("view"))["view"]["context"] == {"count": 2}
            said(folder, "delete", "counter/a")
            assert watcher.until("rooms:") == "rooms: this room was deleted"
            assert watcher.ended() == 1
        assert said(folder, "watch", "counter/a", status=1) == [
            "rooms: there is no session counter/a"
        ]
    assert said(folder, "watch", "counter/a", status=1) == [
        "rooms: no server has rooms.db open: there is nothing to watch"
    ]


def test_a_server_is_named_by_its_url_and_secret(folder: Path, port: str) -> None:  # [ADMIN1]
    secret = "s" * 32
    serve = ("serve", "counter.py", "--port", port, "--store", "memory:")
    with rooms(folder, *serve, ROOMS_SECRET=secret) as server:
        url = server.until("ready").removeprefix("ready ")
        ask(f"{url}/rooms/counter/a", {"type": "increment"})
        at = ("--url", url)
        assert said(folder, "list", *at, ROOMS_SECRET=secret)[1].startswith("counter/a")
        [line] = said(folder, "list", *at, status=2, ROOMS_SECRET="t" * 32)
        assert line.startswith(f"rooms: {url} has another secret: set ROOMS_SECRET")
        [line] = said(folder, "list", *at, status=2)
        assert line.startswith("rooms: set ROOMS_SECRET to what the server signs with")
    [line] = said(folder, "list", *at, status=1, ROOMS_SECRET=secret)
    assert line.startswith(f"rooms: 127.0.0.1:{port} can't be reached")


def test_a_rejected_event_is_status_1(folder: Path) -> None:
    (folder / "counter.py").write_text(
        COUNTER.replace(
            "view = everything",
            "view = everything\n    def allow_send(self, viewer, event, snapshot):\n"
            "        return viewer.role == 'dealer' or 'dealers only'",
        )
    )
    line = (folder / "a.jsonl").write_text  # a session to begin with
    line(
        '{"kind":"counter","session":"a","generation":"","version":"1","revision":1,"snapshot":'
        '{"status":"active","value":{},"historyValue":{},"context":{"count":1},"children":{}}}'
    )
    send = ("send", "counter/a", "increment", "--app", "counter.py", "--as", "ann")
    with rooms(folder, "serve", "counter.py", "--port", "0") as server:
        server.until("ready")  # makes the store
    said(folder, "import", "a.jsonl")
    [rejected] = said(folder, *send, status=1)
    assert json.loads(rejected)["reason"] == "dealers only"
    [accepted] = said(folder, *send, "--role", "dealer")
    assert json.loads(accepted)["outcome"] == "accepted"


# ---------------------------------------------------------------- dev


def save(file: Path, text: str) -> None:
    """All of it at once, as editors do; with the time that it had, as within the same second."""
    new, before = file.with_suffix(".new"), file.stat()
    new.write_text(text)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(file)


def test_dev_starts_again_when_a_source_changes_and_keeps_the_state(
    folder: Path, port: str
) -> None:
    source = folder / "counter.py"
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        url = command.until("ready").removeprefix("ready ")
        room = f"{url}/rooms/counter/a"
        assert ask(room, {"type": "increment"})["view"]["context"] == {"count": 1}
        (folder / "notes.txt").write_text("no source")
        save(source, COUNTER.replace("STEP = 1", "STEP = 10"))
        assert command.until("changed") == "counter.py changed: starting again"
        command.until("ready")
        assert ask(room, {"type": "increment"})["view"]["context"] == {"count": 11}
        save(source, COUNTER.replace("STEP = 1", "STEP = "))
        command.until("rooms: counter.py:5: SyntaxError")
        command.until("waiting for a change")
        careless = (
            '"on": {',
            '"on": {"spoil": {"actions": lambda a, p: a.context.update(count=0)}, ',
        )
        save(source, COUNTER.replace(*careless))
        command.until("ready")
        assert ask(room, {"type": "increment"})["view"]["context"] == {"count": 12}
        ask(room, {"type": "spoil"})
        command.until("changed the context it was given")
        assert command.lines.count(f"ready {url}") == 3
        command.process.send_signal(signal.SIGTERM)
        assert command.ended() == 0


def test_a_new_file_of_the_app_is_watched(folder: Path, port: str) -> None:
    (folder / "deep").mkdir()
    (folder / "deep/__init__.py").write_text("STEP = 1")
    text = COUNTER.replace("STEP = 1", "from deep import STEP")
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        url = command.until("ready").removeprefix("ready ")
        save(folder / "counter.py", text)
        command.until("ready")
        save(folder / "deep/__init__.py", "STEP = 7")
        command.until("__init__.py changed")
        command.until("ready")
        view = ask(f"{url}/rooms/counter/a", {"type": "increment"})["view"]
        assert view["context"] == {"count": 7}


def test_nothing_is_left_behind_when_dev_is_killed(folder: Path, port: str) -> None:
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        url = command.until("ready").removeprefix("ready ")
        ask(f"{url}/rooms/counter/a", {"type": "increment"})
        command.process.kill()
        assert command.ended() == -signal.SIGKILL  # and nobody else holds its output open
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        command.until("ready")
        assert ask(f"{url}/rooms/counter/a")["view"]["context"] == {"count": 1}


def test_ctrl_c_ends_dev_and_what_it_serves_in_order(folder: Path, port: str) -> None:
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        command.until("ready")
        for child in both_children(command.process.pid):
            assert blocks(child, signal.SIGINT), "only dev itself answers it"
        os.killpg(command.process.pid, signal.SIGINT)  # as a terminal does: everybody gets it
        assert command.ended() == 0
        assert command.lines == [f"ready http://127.0.0.1:{port}"]


def test_dev_that_was_suspended_when_told_to_stop_ends_when_it_goes_on(
    folder: Path, port: str
) -> None:
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        command.until("ready")
        pid = command.process.pid
        both_children(pid)
        threads = {thread.name for thread in Path(f"/proc/{pid}/task").iterdir()} - {str(pid)}
        assert threads
        for thread in threads:  # any of them could be given it
            assert blocks(f"{pid}/task/{thread}", signal.SIGTERM)
        command.process.send_signal(signal.SIGSTOP)  # as Ctrl-Z does, but at once
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        for number in (signal.SIGTERM, signal.SIGCONT):
            command.process.send_signal(number)
        assert command.ended() == 0


def blocks(task: str, number: signal.Signals) -> bool:
    """Whether a thread or a process takes no such signal."""
    blocked = re.search(r"^SigBlk:\s*(\w+)", Path(f"/proc/{task}/status").read_text(), re.M)
    assert blocked is not None
    return bool(int(blocked[1], 16) >> (number - 1) & 1)


def both_children(pid: int) -> list[str]:
    """The process that serves and the one that stands by, once they are there."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("needs /proc")
    end = time.perf_counter() + WITHIN_S
    while len(found := children.read_text().split()) < 2:
        assert time.perf_counter() < end, f"{pid} had no two children within {WITHIN_S} s"
        time.sleep(0.01)
    return found


def test_a_first_start_that_fails_ends_dev(folder: Path, port: str) -> None:
    (folder / "counter.py").write_text("nope")
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port) as command:
        assert command.ended() == 2
        assert command.lines == ["rooms: counter.py:1: NameError: name 'nope' is not defined"]


def test_a_file_of_the_current_folder_hides_nothing_from_an_app_elsewhere(
    folder: Path, port: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "rooms.py").write_text("raise RuntimeError('hidden')")
    with rooms(
        elsewhere, "dev", str(folder / "counter.py"), "--no-open", "--port", port
    ) as command:
        command.until("ready")


def test_lan_binds_all_addresses_and_shows_a_qr_code(folder: Path, port: str) -> None:
    with rooms(folder, "dev", "counter.py", "--no-open", "--port", port, "--lan") as command:
        assert command.until("ready") == f"ready http://127.0.0.1:{port}"
        address = command.until("network")
        if address.startswith("on your network: "):
            url = address.removeprefix("on your network: ")
            for line in qr_code(url).splitlines():
                assert command.until("") == line
            assert ask(f"{url}/rooms/counter/a")["view"]["context"] == {"count": 0}


@pytest.mark.parametrize("display", ["", ":0"])
def test_a_browser_is_opened_where_there_is_a_display_and_a_page(
    folder: Path, port: str, display: str
) -> None:
    browser = folder / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport sys\nprint('opened', sys.argv[1], flush=True)\n"
    )
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    (folder / "web").mkdir()
    (folder / "counter.py").write_text(
        COUNTER.replace("App(counter=Counter)", "App(counter=Counter, pages='web')")
    )
    arguments = ("dev", "counter.py", "--port", port)
    with rooms(folder, *arguments, BROWSER=f"{browser} %s", DISPLAY=display) as command:
        command.until("ready")
        if display:
            assert command.until("opened") == f"opened http://127.0.0.1:{port}"
        command.process.send_signal(signal.SIGTERM)
        assert command.ended() == 0
        assert sum("opened" in line for line in command.lines) == bool(display)


# ---------------------------------------------------------------- new


def test_new_makes_an_app_that_serves_its_page(tmp_path: Path, port: str) -> None:
    with rooms(tmp_path, "new", "my app") as command:
        assert command.ended() == 0
        assert command.lines[0].endswith("rooms dev 'my app'")
    with rooms(tmp_path, "serve", "my app", "--port", port) as command:
        url = command.until("ready").removeprefix("ready ")
        view = ask(f"{url}/rooms/counter/shared-counter", {"type": "increment"})["view"]
        assert view["context"] == {"count": 1}
        with DIRECTLY.open(url, timeout=WITHIN_S) as page:
            assert page.read() == (ROOT / "rooms/starter/web/index.html").read_bytes()
