"""Who sits at the table: joining, names, coming and going, the host, moving a seat (PURE).

Each function is an action's `assign` or a guard of `machine.py`. A player is a seat, not a
connection: the room says `room.away` and `room.back` of a device, and the seat stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .context import SEATS, Context, Player, player_of, sender, waited

if TYPE_CHECKING:
    from .context import Args, Presence

LONGEST_NAME = 24
CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""No letter that is read as another."""


# --------------------------------------------------------------------------- joining and names


def may_join(args: Args, params: Any) -> bool:
    """A viewer without a seat, with a name, while there is room."""
    context, event = args.context, args.event
    return (
        isinstance(event.get("sender"), str)
        and player_of(context, event["sender"]) is None
        and clean(event.get("name")) != ""
        and len(context["players"]) < SEATS
    )


def join(args: Args, params: Any) -> dict[str, Any]:
    """The viewer's own seat, at the table's end."""
    context, event = args.context, args.event
    seat = context["seated"] + 1
    player: Player = {
        "viewer": event["sender"],
        "name": unlike(clean(event["name"]), context),
        "seat": seat,
        "ready": False,
        "presence": "here",
        "since": args.now,
        "waited": True,
    }
    return seated(context, {**context["players"], f"p{seat}": player}) | {"seated": seat}


def may_rename(args: Args, params: Any) -> bool:
    """A player who isn't ready, to a name that is one."""
    me = sender(args)
    return (
        me is not None
        and not args.context["players"][me]["ready"]
        and clean(args.event.get("name")) != ""
    )


def rename(args: Args, params: Any) -> dict[str, Any]:
    """The sender's new name."""
    context, me = args.context, sender(args)
    return changed(context, me, name=unlike(clean(args.event["name"]), context, me))


def set_ready(args: Args, params: Any) -> dict[str, Any]:
    """The sender is ready, or not: `params["ready"]`."""
    return changed(args.context, sender(args), ready=params["ready"])


def clean(name: Any) -> str:
    """A name as it is shown, or "" for what can't be one."""
    if not isinstance(name, str):
        return ""
    return " ".join("".join(c for c in name if c.isprintable()).split())[:LONGEST_NAME].strip()


def unlike(name: str, context: Context, me: str | None = None) -> str:
    """The name, with a number where another player has it already."""
    taken = {player["name"].casefold() for id, player in context["players"].items() if id != me}
    number, free = 1, name
    while free.casefold() in taken:
        number += 1
        free = f"{name} {number}"
    return free


# --------------------------------------------------------------------------- coming and going


def is_known(args: Args, params: Any) -> bool:
    """Whether the room speaks of a viewer who has a seat."""
    return player_of(args.context, args.event["viewer"]["id"]) is not None


def arrive(args: Args, params: Any) -> dict[str, Any]:
    """A player's device is here (again)."""
    return _present(args, "here")


def go_away(args: Args, params: Any) -> dict[str, Any]:
    """A player's last connection went: a tunnel, a reload. Waited for, until patience is over."""
    return _present(args, "away")


def leave(args: Args, params: Any) -> dict[str, Any]:
    """A player is gone for longer than the room's grace. The seat and its points stay."""
    return _present(args, "left")


def patience(args: Args, params: Any) -> dict[str, Any]:
    """The event that ends the patience with this very absence."""
    me = player_of(args.context, args.event["viewer"]["id"])
    return {"type": "patience.over", "player": me, "since": args.now}


def is_still_away(args: Args, params: Any) -> bool:
    """Whether the absence that this event is about still lasts."""
    player = args.context["players"].get(args.event["player"])
    return (
        player is not None
        and player["presence"] == "away"
        and player["since"] == args.event["since"]
    )


def stop_waiting(args: Args, params: Any) -> dict[str, Any]:
    """Nobody is held up by this player any more."""
    return changed(args.context, args.event["player"], waited=False)


def _present(args: Args, presence: Presence) -> dict[str, Any]:
    context = args.context
    me = player_of(context, args.event["viewer"]["id"])
    change: dict[str, Any] = {"presence": presence, "since": args.now}
    if presence != "away":
        change["waited"] = presence == "here"
    if presence == "left":
        change["ready"] = False
    return changed(context, me, **change)


# --------------------------------------------------------------------------- the host


def is_player(args: Args, params: Any) -> bool:
    """Whether the sender has a seat."""
    return sender(args) is not None


def is_host(args: Args, params: Any) -> bool:
    """Whether the sender is the host."""
    me = sender(args)
    return me is not None and me == args.context["host"]


def may_remove(args: Args, params: Any) -> bool:
    """The host, a player who isn't connected."""
    named, players = args.event.get("player"), args.context["players"]
    return (
        is_host(args, params)
        and isinstance(named, str)
        and named in players
        and players[named]["presence"] != "here"
    )


def remove(args: Args, params: Any) -> dict[str, Any]:
    """The table without the player whom the host named."""
    return _without(args.context, args.event["player"])


def quit_seat(args: Args, params: Any) -> dict[str, Any]:
    """The table without the sender."""
    return _without(args.context, sender(args))


def everyone_ready(args: Args, params: Any) -> bool:
    """All who are waited for are ready, and there is at least one."""
    players, here = args.context["players"], waited(args.context)
    return bool(here) and all(players[id]["ready"] for id in here)


def deserted(args: Args, params: Any) -> bool:
    """Whether every player has left."""
    return all(player["presence"] == "left" for player in args.context["players"].values())


# --------------------------------------------------------------------------- moving a seat


def issue_code(args: Args, params: Any) -> dict[str, Any]:
    """A new one-time code for the sender's seat, in place of any older one."""
    context, me = args.context, sender(args)
    code = "".join(args.random.choice(CODE_LETTERS) for _ in range(8))
    until = args.now + context["timing"]["code"]
    return {"codes": {**context["codes"], me: {"code": code, "until": until}}}


def has_code(args: Args, params: Any) -> bool:
    """Whether the sender, who has no seat, names a code that still holds."""
    return player_of(args.context, args.event.get("sender")) is None and claimed(args) is not None


def claimed(args: Args) -> str | None:
    """The player whose code the event names."""
    given = args.event.get("code")
    if not isinstance(given, str):
        return None
    given = given.upper().replace("-", "").replace(" ", "")
    for id, code in args.context["codes"].items():
        if code["code"] == given and args.now < code["until"]:
            return id
    return None


def claim(args: Args, params: Any) -> dict[str, Any]:
    """The seat belongs to the sender's device now; the former one watches."""
    context, me = args.context, claimed(args)
    codes = {id: code for id, code in context["codes"].items() if id != me}
    here: dict[str, Any] = {"presence": "here", "since": args.now, "waited": True}
    return changed(context, me, viewer=args.event["sender"], **here) | {"codes": codes}


# --------------------------------------------------------------------------- helpers


def changed(context: Context, id: str | None, **change: Any) -> dict[str, Any]:
    """The table with one player changed."""
    assert id is not None, "the guard lets only players through"
    player: Any = {**context["players"][id], **change}
    return seated(context, {**context["players"], id: player})


def seated(context: Context, players: dict[str, Player]) -> dict[str, Any]:
    """The players, and who is their host: the former one, until they leave and somebody else is
    here, then the one who joined first."""
    host = context["host"]
    if host not in players or players[host]["presence"] == "left":
        here = [id for id, player in players.items() if player["presence"] == "here"]
        heirs = here or [id for id in players if id == host] or list(players)
        host = min(heirs, key=lambda id: players[id]["seat"], default=None)
    return {"players": players, "host": host}


def _without(context: Context, id: str | None) -> dict[str, Any]:
    players = {key: player for key, player in context["players"].items() if key != id}
    codes = {key: code for key, code in context["codes"].items() if key != id}
    return seated(context, players) | {"codes": codes}
