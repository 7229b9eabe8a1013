"""The command line: `rooms dev`, `serve`, `check`, `types`, `new`, and what an operator does with
sessions: `list`, `show`, `history`, `send`, `watch`, `delete`, `export`, `import`.

In: arguments and the environment. Out: exit status 0, 1 (failed) or 2 (wrong usage), and errors of
one line. `rooms dev` should be ready at once: each command imports what it needs when it runs, and
arguments are read by argparse, which is there in 5 ms where typer takes 45.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

from rooms.errors import UsageError
from rooms.process import failing
from rooms.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from rooms.access import Operator
    from rooms.definition import Room

T = TypeVar("T")

_APP = "a .py file, a folder with app.py, or package.module:name"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `rooms`; ends the process."""
    try:
        with failing(_complain):
            options = _parser().parse_args(arguments)
            sys.exit(options.run(options))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:  # as in `rooms export | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


# -------------------------------------------------------------------------------- commands


def _dev(options: argparse.Namespace) -> int:
    from rooms.supervisor import Supervisor

    if options.lan and options.bind is not None:
        raise UsageError("--lan binds all addresses: leave out --bind")
    if options.lan:
        options.bind = "0.0.0.0"
    welcomed = False

    def ready(url: str, pages: bool) -> None:
        nonlocal welcomed
        _ready(url)
        if not welcomed:
            welcomed = True
            _welcome(url, lan=options.lan, window=pages and not options.no_open)

    return Supervisor(options.app, _settings(options), ready=ready, say=_complain).run()


def _welcome(url: str, *, lan: bool, window: bool) -> None:
    from rooms import welcome

    if lan:
        address = welcome.lan_url(url)
        if address is None:
            _complain("no local network: phones can't reach this machine")
        else:
            _say(f"on your network: {address}\n{welcome.qr_code(address)}")
    if window:
        welcome.open_browser(url)


def _serve(options: argparse.Namespace) -> int:
    from rooms import loading, process

    place, settings = loading.find(options.app), _settings(options)
    if settings.hosts > 1 or settings.routers > 1:
        return _fleet(options.app, settings)
    process.serve(place, settings, loaded=lambda: None, ready=lambda url, pages: _ready(url))
    return 0


def _fleet(app: str, settings: Settings) -> int:
    from rooms import logs, process, server
    from rooms.fleet import Fleet

    logs.configure(settings.log_format, "supervisor")

    async def supervise() -> int:
        return await Fleet(app, settings, ready=_ready, say=_complain).run()

    with process.tuned():
        return server.run(supervise())


def _host(options: argparse.Namespace) -> None:
    from rooms import loading, process

    place = loading.find(options.app)
    process.host(place, _settings(options), ready=_ready)


def _router(options: argparse.Namespace) -> None:
    from rooms import process

    process.router(_settings(options), ready=_ready)


def _check(options: argparse.Namespace) -> int:
    from rooms import loading, machines

    app = loading.load(loading.find(options.app))
    problems = machines.check(app, _say)
    settings = _settings(options)

    async def stored() -> int:
        from rooms import access, inventory

        async with access.operator(settings, options.url) as operator:
            return await inventory.check(operator, app, _say)

    try:
        problems += _await(stored())
    except UsageError as error:
        _say(f"stored sessions weren't looked at: {error}")
    return 1 if problems else 0


def _types(options: argparse.Namespace) -> None:
    from rooms import loading, typescript

    _say(typescript.types(loading.load(loading.find(options.app))))


# -------------------------------------------------------------------------------- sessions


def _list(options: argparse.Namespace) -> None:
    from rooms.inventory import list_sessions

    _operate(options, lambda operator: list_sessions(operator, options.kind, _say))


def _show(options: argparse.Namespace) -> None:
    from rooms.inventory import named, show

    id = named(options.session)
    _operate(options, lambda operator: show(operator, id, _say))


def _history(options: argparse.Namespace) -> None:
    from rooms.inventory import history, named

    id = named(options.session)
    _operate(options, lambda operator: history(operator, id, options.at, _say))


def _send(options: argparse.Namespace) -> int:
    from rooms.inventory import named, send

    id = named(options.session)
    arguments = (options.event, options.viewer, options.role, _say)
    return 0 if _operate(options, lambda operator: send(operator, id, *arguments)) else 1


def _watch(options: argparse.Namespace) -> None:
    from rooms import access
    from rooms.inventory import named
    from rooms.watching import watch

    id, settings = named(options.session), _settings(options)
    find = partial(access.remote, settings, options.url)
    _await(watch(find, id, options.viewer, options.role, _say))


def _retry(options: argparse.Namespace) -> None:
    from rooms.inventory import named, retry

    id = named(options.session)
    _operate(options, lambda operator: retry(operator, id, options.name, _say))


def _delete(options: argparse.Namespace) -> None:
    from rooms.inventory import delete, named

    id = named(options.session)
    _operate(options, lambda operator: delete(operator, id, _say))


def _export(options: argparse.Namespace) -> None:
    from rooms.inventory import export, named

    id = None if options.session is None else named(options.session)
    _operate(options, lambda operator: export(operator, id, _say))


def _import(options: argparse.Namespace) -> int:
    from rooms.inventory import import_sessions

    try:
        lines = sys.stdin if options.file == "-" else open(options.file)  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"{options.file} can't be read: {error.strerror}") from error
    with lines:
        arguments = (lines, options.replace, _say, _complain)
        failed = _operate(options, lambda one: import_sessions(one, *arguments), create=True)
    return 1 if failed else 0


def _operate(
    options: argparse.Namespace, do: Callable[[Operator], Awaitable[T]], *, create: bool = False
) -> T:
    """Do this as the operator of the server that has the store, or of the store alone, which with
    `create` is made where there is none.
    """
    from rooms import access, loading

    app = getattr(options, "app", "")
    kinds: Mapping[str, type[Room]] | None = {} if app == "" else None
    if app:
        kinds = loading.load(loading.find(app)).kinds

    async def work() -> T:
        settings = _settings(options)
        async with access.operator(settings, options.url, kinds, create=create) as operator:
            return await do(operator)

    return _await(work())


def _new(options: argparse.Namespace) -> None:
    from rooms import starter

    _say(starter.make(options.name))


# -------------------------------------------------------------------------------- arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help says more)")


class _Version(argparse.Action):
    """Looked up only when it is asked for: that takes as long as all other arguments together."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        _say(f"skyrooms {version('skyrooms')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rooms",
        description="Multiplayer backends where one statechart is the whole server.",
        epilog="Each option has an environment variable: ROOMS_PORT, ROOMS_STORE, … "
        "ROOMS_SECRET signs tokens.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which one this is")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], object], help: str) -> _Parser:
        added: _Parser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    dev = command("dev", _dev, "Serve an App; start it again when a source changes.")
    serve = command("serve", _serve, "Serve an App until SIGTERM or Ctrl-C.")
    host = command("host", _host, "Keep the rooms of an App; routers find it by the store.")
    router = command("router", _router, "Hold the sockets before the hosts of a store.")
    for loaded in (dev, serve, host):
        loaded.add_argument("app", metavar="APP", help=_APP)
    for served in (dev, serve, router):
        served.add_argument("--port", help="TCP port; 0 takes a free one (1999)")
        served.add_argument("--bind", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
        served.add_argument("--limits", metavar="on|off", help="limits on events, connections (on)")
        served.add_argument("--origins", metavar="URLS", help="other sites that may connect")
    serve.add_argument("--hosts", metavar="N", help="processes that keep rooms (1)")
    serve.add_argument("--routers", metavar="N", help="processes that hold sockets (1)")
    host.add_argument("--listen", metavar="ADDRESS", help="for routers: unix:, tcp: or tls:")
    host.add_argument("--advertise", metavar="ADDRESS", help="where routers find that")
    host.add_argument("--weight", metavar="NUMBER", help="its share beside other hosts' (1)")
    router.add_argument("--pages", metavar="FOLDER", help="else the one that a host names")
    for linked in (host, router):
        linked.add_argument("--link-tls", metavar="FILES", help="certificate, key and authority")
    for running in (dev, serve, host, router):
        _add_store(running)
        running.add_argument(
            "--log-format", metavar="text|json", help="how logs are written (text)"
        )
    for watched in (serve, host, router):
        watched.add_argument(
            "--metrics", metavar="[ADDRESS:]PORT", help="where /metrics, /health and /ready are"
        )
        watched.add_argument("--traces", metavar="on|off", help="OpenTelemetry spans (off)")
    dev.add_argument("--lan", action="store_true", help="let phones in; prints a QR code")
    dev.add_argument("--no-open", action="store_true", help="open no browser window")

    check = command("check", _check, "Find what can't work in an App, and in its stored sessions.")
    types = command("types", _types, "Write TypeScript types of an App's events and views.")
    for read in (check, types):
        read.add_argument("app", metavar="APP", help=_APP)
    listing = command("list", _list, "List sessions, live and sleeping.")
    listing.add_argument("--kind", help="only this kind")
    show = command("show", _show, "Show a session's state as JSON.")
    past = command("history", _history, "List a session's kept revisions, or show one.")
    past.add_argument("--at", metavar="REVISION", help="the state at this one, as JSON")
    send = command("send", _send, "Send a session one event; say what became of it.")
    watch = command("watch", _watch, "Show what changes in a session of a running server.")
    retry = command("retry", _retry, "Have what failed for good in a session tried again.")
    delete = command("delete", _delete, "Delete a session; whoever is in it is told.")
    for one in (show, past, send, watch, retry, delete):
        one.add_argument("session", metavar="KIND/SESSION")
    send.add_argument("event", metavar="EVENT", help='a type, or JSON: {"type": "bet", "chips": 5}')
    retry.add_argument("name", metavar="NAME", nargs="?", help="only this effect or timer")
    for woken in (send, retry):
        woken.add_argument("--app", metavar="APP", help=f"where no server runs: {_APP}")
    for posing in (send, watch):
        posing.add_argument("--as", dest="viewer", metavar="VIEWER", help="as this viewer would")
        posing.add_argument("--role", help="the role of that viewer (player)")
    export = command("export", _export, "Write sessions as lines of JSON.")
    export.add_argument("session", metavar="KIND/SESSION", nargs="?", help="only this one")
    importing = command("import", _import, "Store what `export` wrote.")
    importing.add_argument("file", metavar="FILE", nargs="?", default="-", help="else what is read")
    importing.add_argument("--replace", action="store_true", help="also sessions that are there")
    for stored in (check, listing, show, past, send, watch, retry, delete, export, importing):
        _add_store(stored)
        stored.add_argument("--url", help="of a running server; else the one that has the store")
    new = command("new", _new, "Make a folder with a small App and its page.")
    new.add_argument("name", metavar="NAME")
    return parser


def _add_store(parser: _Parser) -> None:
    parser.add_argument(
        "--store", metavar="URL", help="sqlite:///rooms.db (default), redis://… or memory:"
    )


def _settings(options: argparse.Namespace) -> Settings:
    return Settings.read(os.environ, **vars(options))


def _await(command: Coroutine[None, None, T]) -> T:
    import asyncio

    return asyncio.run(command)


def _ready(where: str) -> None:
    _say(f"ready {where}")


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
