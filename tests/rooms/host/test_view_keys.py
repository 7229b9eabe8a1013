"""A view key stands for those who have it now, not for who had it first."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.definition import Room
from rooms.errors import CloseCode
from rooms.sync.views import Viewer, show
from runtime import assign, create_machine
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage


def _draw(args: Any, params: Any) -> dict[str, Any]:
    return {"hands": {**args.context["hands"], args.event["sender"]: args.event["card"]}}


class Cards(Room):
    """Those without a hand share a view; who has one sees it."""

    machine = create_machine(
        {"id": "cards", "context": {"hands": {}}, "on": {"draw": {"actions": assign(_draw)}}}
    )

    def view(self, snapshot: Any, viewer: Viewer) -> Any:
        hands = snapshot.context["hands"]
        return show(snapshot, context={"drawn": len(hands), "hand": hands.get(viewer.id)})

    def view_key(self, snapshot: Any, viewer: Viewer) -> Any:
        return viewer.id if viewer.id in snapshot.context["hands"] else None


class Fragile(Cards):
    """A key that can't be worked out while the hand is bad."""

    def view_key(self, snapshot: Any, viewer: Viewer) -> Any:
        if snapshot.context["hands"].get(viewer.id) == "bad":
            raise ValueError("what a hand")
        return super().view_key(snapshot, viewer)


async def test_who_came_first_and_has_another_key_now_is_not_shown_to_the_others() -> (
    None
):  # [VIEW4]
    stage = await Stage(counter=Cards).start()
    ann, bob = await stage.connect("ann"), await stage.connect("bob")
    await ann.say("draw", card="ace")
    assert ann.view["context"] == {"drawn": 1, "hand": "ace"}
    assert bob.view["context"] == {"drawn": 1, "hand": None}
    await bob.say("draw", card="ten")
    assert ann.view["context"] == {"drawn": 2, "hand": "ace"}
    assert bob.view["context"] == {"drawn": 2, "hand": "ten"}


async def test_a_key_that_fails_leaves_everybody_at_what_they_may_see(  # [VIEW4]
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = await Stage(counter=Fragile).start()
    ann, bob = await stage.connect("ann"), await stage.connect("bob")
    await ann.say("draw", card="bad")
    assert bob.view["context"] == {"drawn": 1, "hand": None}
    assert ann.view["context"] == {"drawn": 1, "hand": None}, "what those see whom she was one of"
    assert "the view raised" in caplog.text
    await ann.say("draw", card="ace")
    assert ann.view["context"] == {"drawn": 1, "hand": "ace"}


async def test_another_role_is_another_view_of_ones_own() -> None:  # [CURSOR2]
    class ByRole(Counter):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return show(snapshot, context={"role": viewer.role})

    on = await Stage(counter=ByRole).start()
    ann = await on.connect("ann")
    assert ann.view["context"] == {"role": "player"}
    await ann.renew("token", {"id": "ann", "role": "dealer", "claims": {}})
    assert ann.inbox[-1]["type"] == "room.view"
    assert ann.view["context"] == {"role": "dealer"}


@pytest.mark.parametrize("raises", [True, False])
async def test_a_view_that_fails_for_one_viewer_is_their_trouble_alone(  # [VIEW4] [TURN1]
    raises: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Fragile(Counter):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            if viewer.id == "ben" and snapshot.context["count"] == 1:
                if raises:
                    raise ValueError("secret of the stack")
                return None  # its author forgot to return it
            return show(snapshot, context={"count": snapshot.context["count"], "me": viewer.id})

    on = await Stage(counter=Fragile).start()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    seq = await ben.send("increment")
    assert ben.outcome(seq)["outcome"] == "accepted"
    assert (ann.view["context"]["count"], ben.view["context"]["count"]) == (1, 0)
    late = await on.connect("ben")
    assert late.closing is not None
    assert (late.closing.code, late.closing.retry_after) == (CloseCode.OVERLOADED, 5_000)
    assert "secret" not in late.closing.reason
    assert (await on.request("GET", who="ben")).status == 500
    assert (await on.request("GET", who="ann")).status == 200
    await ann.send("increment")
    assert (ann.view["context"]["count"], ben.view["context"]["count"]) == (2, 2)
    assert "the view raised" in caplog.text


async def test_a_view_that_is_no_json_keeps_no_room_from_sleeping() -> None:  # [SLEEP1]
    class Keyed(Counter):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return show(snapshot, context={"by number": {snapshot.context["count"]: "once"}})

    on = await Stage(counter=Keyed).start()
    for _ in range(2):  # the second one comes after a sleep
        ann = await on.connect("ann")
        assert ann.closing is not None
        assert ann.closing.code == CloseCode.OVERLOADED
        await on.advance(60_000)
        assert not on.awake()
