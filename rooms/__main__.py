"""The command line: `rooms dev`, `serve`, `check`, `new`, and `list`, `show`, `delete`, `export`.

In: arguments and the environment. Out: exit status 0, 1 (failed) or 2 (wrong usage), and errors of
one line. `rooms dev` should be ready at once: each command imports what it needs when it runs, and
arguments are read by argparse, which is there in 5 ms where typer takes 45.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from rooms.errors import UsageError
from rooms.process import failing
from rooms.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

_APP = "a .py file, a folder with app.py, or package.module:name"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `rooms`; ends the process."""
    with failing(_complain):
        options = _parser().parse_args(arguments)
        sys.exit(options.run(options))


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
        _say(f"ready {url}")
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


def _serve(options: argparse.Namespace) -> None:
    from rooms import loading, process

    process.serve(
        loading.find(options.app),
        _settings(options),
        loaded=lambda: None,
        ready=lambda url, pages: _say(f"ready {url}"),
    )


def _check(options: argparse.Namespace) -> int:
    from rooms import inventory, loading

    app = loading.load(loading.find(options.app))
    return 1 if _await(inventory.check(app, _settings(options).store, _say)) else 0


def _list(options: argparse.Namespace) -> None:
    from rooms import inventory

    _await(inventory.list_sessions(_settings(options).store, options.kind, _say))


def _show(options: argparse.Namespace) -> None:
    from rooms import inventory

    _await(inventory.show(_settings(options).store, inventory.named(options.session), _say))


def _delete(options: argparse.Namespace) -> None:
    from rooms import inventory

    _await(inventory.delete(_settings(options).store, inventory.named(options.session), _say))


def _export(options: argparse.Namespace) -> None:
    from rooms import inventory

    id = None if options.session is None else inventory.named(options.session)
    _await(inventory.export(_settings(options).store, id, _say))


def _new(options: argparse.Namespace) -> None:
    from rooms import starter

    _say(starter.make(options.name))


# -------------------------------------------------------------------------------- arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({self.prog} --help says more)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rooms",
        description="Multiplayer backends where one statechart is the whole server.",
        epilog="Each option has an environment variable: ROOMS_PORT, ROOMS_STORE, … "
        "ROOMS_SECRET signs tokens.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], object], help: str) -> _Parser:
        added: _Parser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    dev = command("dev", _dev, "Serve an App; start it again when a source changes.")
    serve = command("serve", _serve, "Serve an App until SIGTERM or Ctrl-C.")
    for served in (dev, serve):
        served.add_argument("app", metavar="APP", help=_APP)
        served.add_argument("--port", help="TCP port; 0 takes a free one (1999)")
        served.add_argument("--bind", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
        _add_store(served)
        served.add_argument("--limits", metavar="on|off", help="limits on events, connections (on)")
        served.add_argument("--log-format", metavar="text|json", help="how logs are written (text)")
        served.add_argument("--origins", metavar="URLS", help="other sites that may connect")
    dev.add_argument("--lan", action="store_true", help="let phones in; prints a QR code")
    dev.add_argument("--no-open", action="store_true", help="open no browser window")

    check = command("check", _check, "Load an App; find stored sessions that it can't restore.")
    check.add_argument("app", metavar="APP", help=_APP)
    listing = command("list", _list, "List the sessions of a store.")
    listing.add_argument("--kind", help="only this kind")
    show = command("show", _show, "Show a stored session as JSON.")
    delete = command("delete", _delete, "Delete a stored session.")
    for one in (show, delete):
        one.add_argument("session", metavar="KIND/SESSION")
    export = command("export", _export, "Write stored sessions as lines of JSON.")
    export.add_argument("session", metavar="KIND/SESSION", nargs="?", help="only this one")
    for stored in (check, listing, show, delete, export):
        _add_store(stored)
    new = command("new", _new, "Make a folder with a small App and its page.")
    new.add_argument("name", metavar="NAME")
    return parser


def _add_store(parser: _Parser) -> None:
    parser.add_argument("--store", metavar="URL", help="sqlite:///rooms.db (default), or memory:")


def _settings(options: argparse.Namespace) -> Settings:
    return Settings.read(os.environ, **vars(options))


def _await(command: Coroutine[None, None, int | None]) -> int | None:
    import asyncio

    return asyncio.run(command)


def _say(line: str) -> None:
    print(line, flush=True)


def _complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
