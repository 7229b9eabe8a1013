"""What `deploy/` says works: nginx before real routers, the images' commands as plain processes,
units and manifests as their own tools or schemas see them.

Nothing here needs Docker or a cluster. What the machine has no tool for is skipped and says so, or
fails where `REQUIRE_ALL` is set.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from client import Room, connect
from rooms.__main__ import _parser
from rooms.link.stream import SETTLED_WITHIN
from rooms.router.router import _GONE_WITHIN
from rooms.server import _DRAINED_WITHIN
from rooms.settings import Settings
from tests.ports import free_port
from tests.rooms.store.servers import running as redis
from tests.system.closings import Closed, watch
from tests.system.endurance import within
from tests.system.processes import ROOT, running
from tests.system.shared import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

DEPLOY = ROOT / "deploy"
SECRET = "0123456789abcdef" * 2
SETTINGS = [field.name for field in fields(Settings)]


def needed(program: str) -> str:
    """A program's path, or the test is skipped; never where everything is required."""
    found = shutil.which(program)
    if found is None:
        sorry = f"there is no {program} to test with"
        assert "REQUIRE_ALL" not in os.environ, sorry
        pytest.skip(sorry)
    return found


def parsed(path: Path) -> list[Any]:
    """The documents of a YAML file."""
    try:
        import yaml
    except ImportError:
        sorry = "there is no pyyaml to test with: pip install '.[deploy]'"
        assert "REQUIRE_ALL" not in os.environ, sorry
        pytest.skip(sorry)
    return list(yaml.safe_load_all(path.read_text()))


# ------------------------------------------------------------------ nginx


@contextmanager
def nginx(folder: Path, routers: list[int]) -> Iterator[str]:
    """A real nginx with the file of `deploy/`, before routers on these ports; its URL."""
    program, port = needed("nginx"), free_port()
    text = (DEPLOY / "nginx/rooms.conf").read_text()
    text, ports = text.replace("listen 8080", f"listen 127.0.0.1:{port}"), iter(routers)
    lines = []
    for line in text.splitlines():
        if "server router-" in line:
            another = next(ports, None)
            if another is None:
                continue
            line = re.sub(r"router-\d:1999", f"127.0.0.1:{another}", line)
        lines.append(line)
    (folder / "rooms.conf").write_text("\n".join(lines))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} include {folder}/rooms.conf; }}"
    )
    command = [program, "-p", str(folder), "-c", str(main), "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


async def _up(url: str, what: str) -> None:
    """Wait until somebody answers 200 there."""
    async with httpx.AsyncClient(trust_env=False) as client:
        loop = asyncio.get_running_loop()
        until = loop.time() + 60
        while loop.time() < until:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)  # noqa: TID251 - nobody tells us when another process listens
    raise AssertionError(f"{what} didn't come up within 60 s")


async def _said(url: str, pattern: str) -> None:
    """Wait until the page has this: of a process that is slow to answer it has nothing."""
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        pages: list[str] = []

        async def has() -> bool:
            pages.append((await client.get(url)).text)
            return re.search(pattern, pages[-1]) is not None

        try:
            await eventually(20, pattern, has)
        except AssertionError as late:
            raise AssertionError(pages[-1]) from late


async def test_socket_stream_and_request_go_through_nginx(  # [FLEET1] [METRIC1] [METRIC3]
    tmp_path: Path,
) -> None:
    operator = free_port()
    options = ("--hosts", "2", "--routers", "2", "--metrics", str(operator))
    with (
        running("examples/counter", tmp_path, *options) as server,
        nginx(tmp_path, [server.port]) as url,
    ):
        await _up(f"{url}/health", "nginx")
        room = connect(f"{url}/rooms/counter/x")
        await asyncio.wait_for(room.ready(), 20)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            path, event = "/rooms/counter/x", {"type": "increment"}
            asks = {"accept": "text/event-stream"}
            async with client.stream("GET", path, headers=asks) as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                lines = stream.aiter_lines()
                while "room.view" not in await asyncio.wait_for(anext(lines), 20):
                    pass  # from then on it is told what changes
                assert (await room.send(event)).outcome == "accepted"
                assert (await client.post(path, json=event)).json()["outcome"] == "accepted"
                await within(20, "both in the socket's view", lambda: room.context["count"] == 2)
                seen = ""
                while '["count"],2' not in seen.replace('"context",', ""):
                    seen = await asyncio.wait_for(anext(lines), 20)  # buffered, it wouldn't come
            for said in (
                r'rooms_events_total{outcome="accepted",process="host-\d"} 2.0\n',
                r'rooms_processes{role="router"} 2.0\n',
            ):
                await _said(f"http://127.0.0.1:{operator}/metrics", said)
            ready = await client.get(f"http://127.0.0.1:{operator}/ready")
            assert ready.json() == {"status": "ready"}
            for private in ("/rooms/-/sessions", "/ready"):
                assert (await client.get(private)).status_code == 404
            assert "rooms_events" not in (await client.get("/metrics")).text  # it is a page's path
        room.close()
        await room.wait_closed()


# ------------------------------------------------------------------ the images' commands


def compose() -> dict[str, Any]:
    services: dict[str, Any] = parsed(DEPLOY / "compose.yaml")[0]["services"]
    return services


@contextmanager
def started(store: str, *commands: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """These commands of `rooms` as processes; what is left of them is killed at the end."""
    environ = {**os.environ, "ROOMS_STORE": store, "ROOMS_SECRET": SECRET}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            whole = [sys.executable, "-m", "rooms", *command]
            processes.append(subprocess.Popen(whole, env=environ, cwd=ROOT))
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


async def test_the_commands_of_compose_are_a_fleet_behind_nginx(  # [ROUTE9] [METRIC2]
    tmp_path: Path,
) -> None:
    services = compose()
    names = [name for name in services if name.startswith(("router-", "host-"))]
    assert names == ["router-1", "router-2", "host-1", "host-2", "host-3"]
    ports = {name: free_port() for name in names}
    doors = {name: free_port() for name in names}

    def command(name: str) -> list[str]:
        here = f"127.0.0.1:{ports[name]}"
        places = {"/app": "examples/counter", "0.0.0.0:7000": here, f"{name}:7000": here}
        words = [_replaced(word, places) for word in services[name]["command"]]
        port = [] if words[0] == "host" else ["--port", str(ports[name])]
        return [*words, *port, "--metrics", str(doors[name])]

    with (
        redis("redis") as store,
        started(store.url(), *map(command, names)) as processes,
        nginx(tmp_path, [ports["router-1"], ports["router-2"]]) as url,
    ):
        for name in names:
            await _up(f"http://127.0.0.1:{doors[name]}/ready", name)
        rooms = [connect(f"{url}/rooms/counter/room-{n}") for n in range(6)]
        await asyncio.wait_for(asyncio.gather(*(room.ready() for room in rooms)), 40)
        closed: list[Closed] = []
        for n, room in enumerate(rooms):
            watch(room, f"room-{n}", closed)
        await _everybody_counts(rooms)
        host, router = (processes[names.index(name)] for name in ("host-1", "router-1"))
        host.send_signal(signal.SIGTERM)
        await _everybody_counts(rooms)
        assert await asyncio.to_thread(host.wait, 30) == 0
        assert closed == []  # no socket saw anything of it
        router.send_signal(signal.SIGTERM)
        await _everybody_counts(rooms)  # through the other one, where need be
        assert await asyncio.to_thread(router.wait, 30) == 0
        for room in rooms:
            await within(20, "each event once", lambda room=room: room.context["count"] == 3)  # type: ignore[misc]
            room.close()
            await room.wait_closed()


def _replaced(word: str, places: dict[str, str]) -> str:
    for what, by in places.items():
        word = word.replace(what, by)
    return word


async def _everybody_counts(rooms: list[Room]) -> None:
    sent = [room.send({"type": "increment"}) for room in rooms]
    for outcome in await asyncio.wait_for(asyncio.gather(*sent), 40):
        assert outcome.outcome == "accepted"


def test_the_image_serves_an_app_that_lies_in_a_folder_of_its_own(tmp_path: Path) -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    [entry] = re.findall(r"^ENTRYPOINT (.*)$", text, re.M)
    command = json.loads(re.findall(r"^CMD (\[.*\])$", text, re.M)[-1])
    assert (json.loads(entry), command) == (["rooms"], ["serve", "/app"])
    for name in re.findall(r"(ROOMS_[A-Z_]+)=", text):
        assert name.removeprefix("ROOMS_").lower() in SETTINGS, name
    for folder in re.findall(r"^COPY (\w+) \w+$", text, re.M):
        assert f"!{folder}" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    [example] = re.findall(r"^ARG APP=(.*)$", text, re.M)
    shutil.copytree(ROOT / example, tmp_path / "app")
    with (
        running(str(tmp_path / "app"), tmp_path) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client,
    ):
        assert client.get("/health").status_code == 200
        assert client.get("/").status_code == 200  # its page


# ------------------------------------------------------------------ files


@pytest.mark.parametrize(
    ("file", "unit"),
    [
        ("skyrooms.service", "skyrooms.service"),
        ("skyrooms-router@.service", "skyrooms-router@1999.service"),
        ("skyrooms-host@.service", "skyrooms-host@7000.service"),
    ],
)
def test_systemd_finds_nothing_wrong(tmp_path: Path, file: str, unit: str) -> None:
    text = (DEPLOY / "systemd" / file).read_text()
    arguments = re.findall(r"^ExecStart=/opt/skyrooms/bin/rooms (.*)$", text, re.M)
    options = _parser().parse_args(shlex.split(arguments[0].replace("%i", "1").replace("%H", "h")))
    assert Settings.read({}, **vars(options))
    program = needed("systemd-analyze")
    (tmp_path / unit).write_text(text.replace("/opt/skyrooms/bin/rooms", "/bin/true"))
    command = [program, "verify", "--man=no", str(tmp_path / unit)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "skyrooms" in line]
    assert (checked.returncode, ours) == (0, []), checked.stderr


def manifests() -> dict[tuple[str, str], Any]:
    """All objects of the manifests, by kind and name."""
    [kustomization] = parsed(DEPLOY / "kubernetes/kustomization.yaml")
    objects = [
        one for name in kustomization["resources"] for one in parsed(DEPLOY / "kubernetes" / name)
    ]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def test_kubernetes_would_take_the_manifests() -> None:
    objects = manifests()
    try:
        import kubernetes_validate
    except ImportError:
        sorry = "there are no schemas to test with: pip install '.[deploy]'"
        assert "REQUIRE_ALL" not in os.environ, sorry
        pytest.skip(sorry)
    for one in objects.values():
        kubernetes_validate.validate(one, "1.33", strict=True)


@pytest.mark.parametrize(("kind", "part"), [("StatefulSet", "host"), ("Deployment", "router")])
def test_what_runs_in_kubernetes_is_probed_drained_and_budgeted(kind: str, part: str) -> None:
    objects = manifests()
    labels = objects[kind, part]["spec"]["selector"]["matchLabels"]
    for name in ("PodDisruptionBudget", "NetworkPolicy"):
        selector = objects[name, part]["spec"]
        assert (selector.get("selector") or selector["podSelector"])["matchLabels"] == labels
    pod = objects[kind, part]["spec"]["template"]
    assert pod["metadata"]["labels"] == labels
    spec = pod["spec"]
    [container] = spec["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe, path in (("startup", "/ready"), ("readiness", "/ready"), ("liveness", "/health")):
        asked = container[f"{probe}Probe"]["httpGet"]
        assert (asked["path"], ports[asked["port"]]) == (path, 9100)
    environ = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    options = _parser().parse_args(
        [_replaced(word, {"$(POD_IP)": "h"}) for word in container["args"]]
    )
    settings = Settings.read(environ, **vars(options))
    assert settings.metrics == "0.0.0.0:9100"
    assert objects["Secret", "skyrooms"]["stringData"].keys() <= {
        f"ROOMS_{name.upper()}" for name in SETTINGS
    }
    paused = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    drained = _DRAINED_WITHIN + SETTLED_WITHIN if part == "host" else _GONE_WITHIN * 2
    assert spec["terminationGracePeriodSeconds"] >= paused + drained + 3
    service = objects["Service", part]["spec"]
    assert service["selector"] == labels
    assert {port.get("targetPort", port["name"]) for port in service["ports"]} <= ports.keys()


def test_compose_is_two_routers_three_hosts_and_a_replica() -> None:
    [whole] = parsed(DEPLOY / "compose.yaml")
    services = whole["services"]
    try:
        from compose_spec import PyCompose
    except ImportError:
        assert "REQUIRE_ALL" not in os.environ, "there is no compose-spec to test with"
    else:
        PyCompose.from_json(json.dumps(whole)).validate()
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert source in whole["volumes"] or (DEPLOY / source).is_file(), mount
        if service.get("image") == "skyrooms":
            options = _parser().parse_args(service["command"])
            environ = {**service["environment"], "ROOMS_SECRET": SECRET}
            assert Settings.read(environ, **vars(options)).metrics == "0.0.0.0:9100"
    assert "--replicaof" in services["redis-replica"]["command"]


def test_every_file_is_in_the_readme() -> None:
    text = (DEPLOY / "README.md").read_text()
    for path in DEPLOY.iterdir():
        if path.name != "README.md":
            assert path.name in text, f"deploy/README.md doesn't say what {path.name} is for"
