"""The course of one payment: requested, confirmed, approved, debited, credited; or not.

The machine decides; what the bank is asked is an effect, and what it answered an event. Both money
calls may have been made when nobody knows: what can't go on is refunded.
"""

from __future__ import annotations

from typing import Any, TypedDict

from rooms import effect
from runtime import assign, setup

APPROVAL_MS = 10_000
"""How long an approver has; then it takes an admin."""


class Request(TypedDict):
    """Somebody wants to pay: from their account, to another, an amount in cents."""

    payer: str
    payee: str
    cents: int


class Word(TypedDict):
    """An event that says all by its type."""


def _note(args: Any, params: Any) -> dict[str, Any]:
    line = {"at": args.now, "what": params["what"]}
    event = args.event
    why = event.get("error") or (event.get("output") or {}).get("declined")
    more = {"by": event.get("sender"), "why": why}
    line.update({name: value for name, value in more.items() if value})
    return {"log": [*args.context["log"], line]}


def _begin(args: Any, params: Any) -> dict[str, Any]:
    order = {name: args.event[name] for name in ("payer", "payee", "cents")}
    return {"payer": args.event["sender"], "order": order}


def _call(name: str, account: str) -> Any:
    """The effect that moves the amount of an account."""
    return effect(
        name,
        lambda args, params: {
            "account": args.context["order"][account],
            "cents": args.context["order"]["cents"],
        },
    )


def note(what: str) -> dict[str, Any]:
    """A line of the payment's log."""
    return {"type": "note", "params": {"what": what}}


def bank(name: str, **transitions: Any) -> dict[str, Any]:
    """The events by which the bank's answer to this call comes."""
    guard = {"type": "is_of", "params": {"name": name}}
    on: dict[str, Any] = {}
    for word, targets in transitions.items():
        listed = targets if isinstance(targets, list) else [targets]
        on[f"room.effect.{word}"] = [{"guard": guard, **one} for one in listed]
    return on


machine = setup(
    events={"request": Request, **dict.fromkeys(("confirm", "cancel", "approve", "reject"), Word)},
    actions={
        "begin": assign(_begin),
        "note": assign(_note),
        "debit": _call("debit", "payer"),
        "credit": _call("credit", "payee"),
        "refund": _call("refund", "payer"),
    },
    guards={
        "is_of": lambda args, params: args.event["name"] == params["name"],
        "is_declined": lambda args, params: (
            args.event["name"] == "debit" and "declined" in args.event["output"]
        ),
        "is_an_amount": lambda args, params: args.event["cents"] > 0,
    },
).create_machine(
    {
        "id": "payment",
        "version": "1",
        "context": {"payer": None, "order": None, "log": []},
        "initial": "new",
        "states": {
            "new": {
                "on": {
                    "request": {
                        "guard": "is_an_amount",
                        "target": "needs_confirm",
                        "actions": ["begin", note("requested")],
                    }
                }
            },
            "needs_confirm": {
                "on": {
                    "confirm": {"target": "awaiting_approval", "actions": note("confirmed")},
                    "cancel": "cancelled",
                }
            },
            "awaiting_approval": {
                "after": {APPROVAL_MS: "awaiting_admin"},
                "on": {
                    "approve": {"target": "debiting", "actions": note("approved")},
                    "reject": "rejected",
                    "cancel": "cancelled",
                },
            },
            "awaiting_admin": {
                "entry": note("nobody approved it in time: it takes an admin"),
                "on": {
                    "approve": {"target": "debiting", "actions": note("approved")},
                    "reject": "rejected",
                    "cancel": "cancelled",
                },
            },
            "debiting": {
                "entry": "debit",
                "on": bank(
                    "debit",
                    done=[
                        {"guard": "is_declined", "target": "rejected"},
                        {"target": "crediting", "actions": note("debited")},
                    ],
                    failed={"target": "refunding", "actions": note("nobody knows of the debit")},
                ),
            },
            "crediting": {
                "entry": "credit",
                "on": bank(
                    "credit",
                    done={"target": "succeeded", "actions": note("credited")},
                    failed={"target": "refunding", "actions": note("the credit failed")},
                ),
            },
            "refunding": {
                "entry": "refund",
                "on": bank(
                    "refund",
                    done={"target": "refunded"},
                    failed={"actions": note("the refund failed: an operator has to look")},
                ),
            },
            "succeeded": {"type": "final", "entry": note("succeeded")},
            "refunded": {"type": "final", "entry": note("refunded")},
            "rejected": {"type": "final", "entry": note("rejected")},
            "cancelled": {"type": "final", "entry": note("cancelled")},
        },
    }
)
