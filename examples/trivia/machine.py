"""The game as one statechart: which phases there are, what ends them, and what is heard in each.

Comes in: the players' events (`join`, `ready`, `answer`, …), the room's (`room.away`, …) and its
own timers. Goes out: the next context. What an action does: `players.py` and `play.py`; what a
viewer sees of it all: `view.py`."""

from __future__ import annotations

from typing import Any

from runtime import assign, not_, raise_, setup

from . import play, players
from .context import Args, new_context


def patience_delay(args: Args, params: Any) -> int:
    """How long somebody who has just gone is still waited for, in ms."""
    return args.context["timing"]["patience"]


ACTIONS = {
    name: assign(function)
    for name, function in {
        "join": players.join,
        "rename": players.rename,
        "set_ready": players.set_ready,
        "arrive": players.arrive,
        "go_away": players.go_away,
        "leave": players.leave,
        "stop_waiting": players.stop_waiting,
        "remove": players.remove,
        "quit_seat": players.quit_seat,
        "issue_code": players.issue_code,
        "claim": players.claim,
        "start_timer": play.start_timer,
        "clear_timer": play.clear_timer,
        "freeze": play.freeze,
        "thaw": play.thaw,
        "vote_resume": play.vote_resume,
        "configure": play.configure,
        "deal": play.deal,
        "show": play.show,
        "answer": play.answer,
        "confirm": play.confirm,
        "unconfirm": play.unconfirm,
        "grade": play.grade,
        "next_ask": play.next_ask,
        "first_ask": play.first_ask,
        "next_chapter": play.next_chapter,
        "vote": play.vote,
        "reset": play.reset,
    }.items()
} | {"lose_patience_later": raise_(players.patience, delay="patience")}

GUARDS = {
    function.__name__: function
    for function in (
        players.may_join,
        players.may_rename,
        players.may_remove,
        players.is_known,
        players.is_still_away,
        players.is_player,
        players.is_host,
        players.has_code,
        players.everyone_ready,
        players.deserted,
        play.may_configure,
        play.may_answer,
        play.may_confirm,
        play.may_unconfirm,
        play.may_vote,
        play.everyone_confirmed,
        play.everyone_resumes,
        play.more_asks,
        play.more_chapters,
    )
}

TABLE: dict[str, Any] = {
    "join": {"guard": "may_join", "actions": "join"},
    "code": {"guard": "is_player", "actions": "issue_code"},
    "claim": {"guard": "has_code", "actions": "claim"},
    "room.joined": {"guard": "is_known", "actions": "arrive"},
    "room.back": {"guard": "is_known", "actions": "arrive"},
    "room.away": {"guard": "is_known", "actions": ["go_away", "lose_patience_later"]},
    "room.left": {"guard": "is_known", "actions": "leave"},
    "patience.over": {"guard": "is_still_away", "actions": "stop_waiting"},
}
"""Coming and going, in every phase."""

LOBBY: dict[str, Any] = {
    "initial": "waiting",
    "on": {
        "ready": {
            "guard": "is_player",
            "actions": {"type": "set_ready", "params": {"ready": True}},
        },
        "unready": {
            "guard": "is_player",
            "actions": {"type": "set_ready", "params": {"ready": False}},
        },
        "rename": {"guard": "may_rename", "actions": "rename"},
        "remove": {"guard": "may_remove", "actions": "remove"},
        "quit": {"guard": "is_player", "actions": "quit_seat"},
    },
    "states": {
        "waiting": {
            "on": {"configure": {"guard": "may_configure", "actions": "configure"}},
            "always": {"guard": "everyone_ready", "target": "countdown"},
        },
        "countdown": {
            "entry": {"type": "start_timer", "params": {"of": "countdown"}},
            "exit": "clear_timer",
            "always": {"guard": not_("everyone_ready"), "target": "waiting"},
            "after": {"time_left": {"target": "#trivia.game", "actions": "deal"}},
        },
    },
}

RUNNING: dict[str, Any] = {
    "initial": "prepare",
    "on": {"pause": {"guard": "is_player", "target": "paused"}},
    "always": {"guard": "deserted", "target": "paused"},
    "states": {
        "prepare": {"after": {"time_left": {"target": "answering", "actions": "show"}}},
        "answering": {
            "on": {
                "answer": {"guard": "may_answer", "actions": "answer"},
                "confirm": {"guard": "may_confirm", "actions": "confirm"},
                "unconfirm": {"guard": "may_unconfirm", "actions": "unconfirm"},
            },
            "always": {"guard": "everyone_confirmed", "target": "#trivia.game.ended"},
            "after": {"time_left": {"target": "#trivia.game.ended"}},
        },
        "interrupted": {"type": "history"},
    },
}

GAME: dict[str, Any] = {
    "initial": "round",
    "states": {
        "round": {
            "initial": "running",
            "entry": {"type": "start_timer", "params": {"of": "prepare"}},
            "states": {
                "running": RUNNING,
                "paused": {
                    "tags": ["paused"],
                    "entry": "freeze",
                    "exit": "thaw",
                    "on": {"resume": {"guard": "is_player", "actions": "vote_resume"}},
                    "always": {"guard": "everyone_resumes", "target": "running.interrupted"},
                },
            },
        },
        "ended": {
            "entry": "grade",
            "always": [
                {"guard": "more_asks", "target": "round", "actions": "next_ask"},
                {"target": "recap", "actions": "first_ask"},
            ],
        },
        "recap": {
            "initial": "item",
            "states": {
                "item": {
                    "entry": {"type": "start_timer", "params": {"of": "recap"}},
                    "exit": "clear_timer",
                    "on": {
                        "next": {"guard": "is_host", "target": "over"},
                        "vote": {"guard": "may_vote", "actions": "vote"},
                    },
                    "after": {"time_left": {"target": "over"}},
                },
                "over": {
                    "always": [
                        {"guard": "more_asks", "target": "item", "actions": "next_ask"},
                        {
                            "guard": "more_chapters",
                            "target": "#trivia.game.round",
                            "actions": "next_chapter",
                        },
                        {"target": "#trivia.ranking"},
                    ],
                },
            },
        },
    },
}

machine = setup(
    actions=ACTIONS,
    guards=GUARDS,
    delays={"time_left": play.time_left, "patience": patience_delay},
).create_machine(
    {
        "id": "trivia",
        "version": "1",
        "context": new_context,
        "initial": "lobby",
        "on": TABLE,
        "states": {
            "lobby": LOBBY,
            "game": GAME,
            "ranking": {
                "on": {"again": {"guard": "is_player", "target": "lobby", "actions": "reset"}}
            },
        },
    }
)
