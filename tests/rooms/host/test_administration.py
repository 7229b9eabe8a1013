"""What an operator does with sessions, live and sleeping, on a host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rooms.definition import Room
from rooms.errors import CloseCode
from rooms.host.audience import _WHOLE
from rooms.host.door import OPERATOR
from rooms.store.port import SessionId
from rooms.sync.views import everything
from tests.rooms.host import machines
from tests.rooms.host.machines import Book, Clock, Counter, Full, Private, Strict, Volatile, Worker
from tests.rooms.host.stage import Stage

EVENT = {"event": {"type": "increment"}}


async def stage(kind: Any = Counter) -> Stage:
    return await Stage(counter=kind).start()


async def slept(on: Stage) -> None:
    await on.advance(20_000)
    assert not on.awake()


# ------------------------------------------------------------------ looking


async def test_sessions_are_listed_page_by_page_live_and_sleeping() -> None:  # [ADMIN2]
    on = await stage()
    for name in ("a", "b"):
        await on.request("POST", f"counter/{name}", {"type": "increment"})
    await slept(on)
    ann = await on.connect("ann", "counter/c")
    await ann.send("increment")
    status, page = await on.operated("GET", "", "/sessions", params={"limit": "2"})
    assert status == 200
    assert [one["session"] for one in page["sessions"]] == ["a", "b"]
    assert page["next"] == "counter/b"
    status, rest = await on.operated("GET", "", "/sessions", params={"after": page["next"]})
    assert (status, rest["next"]) == (200, None)
    [one] = rest["sessions"]
    assert (one["session"], one["live"], one["connections"]) == ("c", True, 1)
    assert [one["live"] for one in page["sessions"]] == [False, False]
    assert not on.awake("counter/a")
    status, other = await on.operated("GET", "", "/sessions", params={"kind": "other"})
    assert other["sessions"] == []


@pytest.mark.parametrize("params", [{"limit": "x"}, {"after": "counter"}])
async def test_a_list_asked_for_wrongly_says_what_is_wrong(params: dict[str, str]) -> None:
    on = await stage()
    status, said = await on.operated("GET", "", "/sessions", params=params)
    assert status == 422
    assert f"`{next(iter(params))}`" in said["reason"]


async def test_looking_at_a_session_wakes_nothing() -> None:  # [ADMIN2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await slept(on)
    on.told.clear()
    status, shown = await on.operated("GET")
    assert status == 200
    assert (shown["snapshot"]["context"], shown["revision"]) == ({"count": 1}, 1)
    assert (shown["live"], shown["marks"]) == (False, 1)
    status, export = await on.operated("GET", path="/export")
    assert export["snapshot"] == shown["snapshot"]
    assert list(export["marks"]) == [f"ann\0{ann.client}"]
    assert not on.awake()
    assert [type(message).__name__ for message in on.told] == ["Answer", "Answer"]


async def test_what_is_not_durable_is_not_shown() -> None:  # [ADMIN2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding():
        await ann.send("increment")
        _, shown = await on.operated("GET")
        assert (shown["snapshot"]["context"], shown["connections"]) == ({"count": 1}, 1)
    await on.settle()
    _, shown = await on.operated("GET")
    assert shown["snapshot"]["context"] == {"count": 2}


async def test_a_room_that_is_only_stored_when_it_sleeps_is_shown_as_it_is() -> None:  # [ADMIN2]
    on = await stage(Volatile)
    ann = await on.connect()
    await ann.send("increment")
    await slept(on)
    await ann.send("increment")
    _, shown = await on.operated("GET")
    assert shown["snapshot"]["context"] == {"count": 2}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/export"), ("DELETE", "")])
async def test_a_session_that_does_not_exist_is_404(method: str, path: str) -> None:  # [ADMIN2]
    on = await stage()
    status, said = await on.operated(method, path=path)
    assert (status, said["reason"]) == (404, "there is no session counter/x")
    assert await on.inner.load(("counter", "x")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [("GET", "counter/x", "/nothing"), ("PATCH",), ("GET", "", "/x")])
async def test_what_is_not_there_is_404(asked: tuple[str, ...]) -> None:
    on = await stage()
    assert (await on.operated(*asked))[0] == 404


async def test_an_operator_sees_whatever_past_is_kept() -> None:  # [ADMIN9]
    class Logged(Counter):
        history = 20  # and nobody else may look

    on = await stage(Logged)
    for _ in range(5):
        await on.request("POST", body={"type": "increment"})
    made = on.now()
    await slept(on)
    status, page = await on.operated("GET", path="/history", params={"after": "1", "limit": "3"})
    assert status == 200
    assert [one["revision"] for one in page["revisions"]] == [2, 3, 4]
    assert page["revisions"][0] == {"revision": 2, "at": made, "event": "increment"}
    _, rest = await on.operated("GET", path="/history", params={"after": str(page["next"])})
    assert [one["revision"] for one in rest["revisions"]] == [5]
    assert rest["next"] is None
    status, past = await on.operated("GET", path="/history/3")
    assert (status, past["snapshot"]["context"]) == (200, {"count": 3})
    assert not on.awake()
    for path, code in (("/history/9", 404), ("/history/0", 404), ("/history/x", 422)):
        assert (await on.operated("GET", path=path))[0] == code
    assert (await on.operated("GET", "counter/other", "/history"))[0] == 404


async def test_what_hooks_keep_is_shown_live_and_asleep() -> None:  # [ADMIN2]
    class Chat(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            self.storage.put("said", message["text"])

    on = await stage(Chat)
    ann = await on.connect()
    await ann.send("say", text="hello")
    assert (await on.operated("GET"))[1]["storage"] == {"said": "hello"}
    await ann.leave()
    await slept(on)
    status, shown = await on.operated("GET")
    assert (status, shown["storage"]) == (200, {"said": "hello"})
    _, export = await on.operated("GET", path="/export")
    await on.operated("PUT", body=export, params={"replace": "1"})
    assert (await on.operated("GET"))[1]["storage"] == {"said": "hello"}


async def test_an_operator_sees_what_a_viewer_would_be_shown() -> None:  # [ADMIN10]
    class Table(Private):
        def allow_join(self, viewer: Any, snapshot: Any) -> bool | str:
            return viewer.role == "player" or "players only"

    on = await stage(Table)
    await on.request("POST", body={"type": "increment"})
    status, seen = await on.operated("GET", path="/view", params={"as": "ann"})
    assert (status, seen["view"]["context"]) == (200, {"count": 1, "you": "ann"})
    status, seen = await on.operated("GET", path="/view")
    assert (status, seen["view"]["context"]) == (200, {"count": 1})
    params = {"as": "ann", "role": "guest"}
    assert (await on.operated("GET", path="/view", params=params))[0] == 403
    assert (await on.operated("GET", "counter/other", "/view"))[0] == 404
    assert (await on.operated("GET", "other/x", "/view"))[0] == 422


async def test_an_operator_sees_the_machine_and_who_sits_there() -> None:  # [ADMIN10] [ADMIN2]
    on = await stage(Full)
    ann = await on.connect()
    await ann.send("ping")
    status, kind = await on.operated("GET", "", "/kinds/counter")
    assert (status, kind["version"], kind["machine"]["id"]) == (200, "", "lobby")
    assert (await on.operated("GET", "", "/kinds/other"))[0] == 404
    assert (await on.operated("GET"))[1]["seats"] == [{"id": "ann", "role": "player", "here": True}]


# ------------------------------------------------------------------ an event


async def test_an_operators_event_is_applied_whatever_the_room_allows() -> None:  # [ADMIN3]
    class Shut(Counter):
        def allow_send(self, viewer: Any, event: Any, snapshot: Any) -> bool:
            return bool(snapshot.context["count"] < 1)

        def allow_join(self, viewer: Any, snapshot: Any) -> bool:
            return bool(viewer.id == "ann")

    on = await stage(Shut)
    await on.request("POST", body={"type": "increment"})
    await slept(on)
    status, said = await on.operated("POST", body=EVENT)
    assert (status, said["outcome"], said["view"]["context"]) == (200, "accepted", {"count": 2})
    status, said = await on.operated("POST", body={**EVENT, "as": "ann"})
    assert (status, said["outcome"]) == (403, "rejected")
    status, said = await on.operated("POST", body={**EVENT, "as": "bob"})
    assert status == 403
    assert "view" not in said


async def test_an_operators_event_is_of_whom_they_say() -> None:  # [ADMIN3]
    class Judged(Counter):
        def allow_send(self, viewer: Any, event: Any, snapshot: Any) -> bool:
            return bool(viewer.role == "judge")

    on = await stage(Judged)
    judge = await on.connect("jo", role="judge")
    await judge.send("increment")
    for role, expected in (("judge", 200), (None, 403), ("guest", 403)):
        wish = {**EVENT, "as": "ann", "role": role}
        assert (await on.operated("POST", body=wish))[0] == expected
    assert judge.view["context"] == {"count": 2}


async def test_no_viewer_is_called_like_the_operator() -> None:  # [ADMIN3]
    on = await stage()
    liar = await on.connect(OPERATOR.id)
    assert liar.closing is not None
    assert liar.closing.code == CloseCode.FORBIDDEN
    assert (await on.request("POST", who=OPERATOR.id, body=EVENT["event"])).status == 403


async def test_who_has_the_operators_role_is_judged_as_anybody() -> None:  # [ADMIN3]
    class Shut(Counter):
        def allow_send(self, viewer: Any, event: Any, snapshot: Any) -> bool:
            return bool(event["type"] == "increment")

    on = await stage(Shut)
    ann = await on.connect("ann", role=OPERATOR.role)
    await ann.send("increment")
    await ann.send("ask")
    assert ann.outcomes() == [(1, "accepted"), (2, "rejected")]
    status, said = await on.operated("POST", body={"event": {"type": "ask"}})
    assert (status, said["result"]) == (200, {"count": 2})


async def test_an_operators_event_makes_no_session() -> None:  # [ADMIN3]
    on = await stage()
    status, _ = await on.operated("POST", body=EVENT)
    assert status == 404
    assert await on.record() is None


async def test_an_operators_event_has_to_be_one() -> None:  # [ADMIN3]
    on = await stage(Strict)
    await on.request("POST", body={"type": "add", "by": 1})
    status, said = await on.operated("POST", body={"event": {"type": "add", "by": "x"}})
    assert (status, said["outcome"]) == (422, "rejected")
    for body in (None, {}, {"event": 1}, {"event": {"type": "room.joined"}}, [1]):
        status, said = await on.operated("POST", body=body)
        assert status == 422, body
        assert "outcome" not in said
    status, said = await on.operated("POST", "other/x", body=EVENT)
    assert said["reason"] == "the App has no kind 'other'"


# ------------------------------------------------------------------ watching


async def test_a_watcher_sees_the_whole_state_and_is_nobody() -> None:  # [ADMIN4]
    class Watched(Full):
        presence = True
        volatile = ("wave",)

        def view(self, snapshot: Any, viewer: Any) -> Any:  # type: ignore[override]
            return {"value": "hidden"}

    on = await stage(Watched)
    ann = await on.connect("ann")
    await ann.send("ping")
    stored = await on.stored()
    await on.advance(100)
    ann.took()
    watcher = await on.connect("", operator=True, create=False)
    assert (
        watcher.view["context"] == stored["context"] == {"seats": {"ann": "here"}, "pinged": True}
    )
    assert watcher.types()[:2] == ["room.you", "room.view"]
    await on.advance(100)
    assert ann.took() == []  # neither in its presence nor in its view
    await watcher.say("ping")
    await watcher.send("ping")
    await watcher.say("room.presence", data={"x": 1})
    await watcher.say("wave")
    await on.advance(100)
    assert ann.took() == watcher.took() == []
    assert await on.stored() == stored
    await watcher.leave()
    await on.advance(30_000)
    assert (await on.stored())["context"]["seats"] == {"ann": "here"}


async def test_a_watcher_sees_what_a_viewer_would_be_shown() -> None:  # [ADMIN4]
    on = await stage(Private)
    ann = await on.connect("ann")
    await ann.send("increment")
    watcher = await on.connect("ann", operator=True, create=False)
    assert watcher.view == ann.view
    await ann.send("increment")
    assert watcher.view["context"] == {"count": 2, "you": "ann"}
    assert ann.closing is None  # it isn't taken over


async def test_a_watcher_stays_through_sleep() -> None:  # [ADMIN4]
    on = await stage()
    await on.request("POST", body={"type": "increment"})
    watcher = await on.connect("", operator=True, create=False)
    await slept(on)
    await on.request("POST", body={"type": "increment"})
    assert watcher.view["context"] == {"count": 2}


async def test_a_watcher_makes_no_room() -> None:  # [ADMIN4]
    on = await stage()
    watcher = await on.connect("", operator=True, create=True)
    assert watcher.closing is not None
    assert watcher.closing.code == CloseCode.NOT_FOUND


async def test_no_viewer_shares_the_operators_view() -> None:  # [ADMIN4]
    class Sly(Counter):
        def view(self, snapshot: Any, viewer: Any) -> Any:
            return {"value": "hidden"}

        def view_key(self, snapshot: Any, viewer: Any) -> Any:
            return repr(_WHOLE) if viewer.role == "a" else OPERATOR.id

    on = await stage(Sly)
    ann = await on.connect("ann", role="a")
    await ann.send("increment")
    watcher = await on.connect("", operator=True, create=False)
    bob = await on.connect("bob", role=OPERATOR.role)
    await ann.send("increment")
    assert watcher.view["context"] == {"count": 2}
    assert ann.view == bob.view == {"value": "hidden"}


async def test_hooks_hear_of_no_watcher_and_answer_an_operators_message() -> None:
    # [ADMIN3] [ADMIN4]
    heard: list[str] = []

    class Chat(Room):
        view = everything

        def on_connect(self, connection: Any, request: Any) -> None:
            heard.append(f"connected {connection.viewer.id}")

        def on_close(self, connection: Any) -> None:
            heard.append(f"closed {connection.viewer.id}")

        def on_message(self, connection: Any, message: Any) -> Any:
            self.storage.put("said", message["text"])
            self.broadcast({"type": "said", "text": message["text"]})
            return {"by": connection.viewer.id}

    on = await stage(Chat)
    ann = await on.connect("ann")
    await ann.send("say", text="hello")
    watcher = await on.connect("", operator=True, create=False)
    as_ben = await on.connect("ben", operator=True, create=False)
    assert watcher.view["context"] == {"said": "hello"}
    await watcher.send("say", text="no")
    status, said = await on.operated("POST", body={"event": {"type": "say", "text": "stop"}})
    assert (status, said["outcome"], said["result"]) == (200, "accepted", {"by": OPERATOR.id})
    assert watcher.view["context"] == {"said": "stop"}
    assert "room.emitted" in ann.types()
    for tab in (watcher, as_ben):
        await tab.leave()
    assert heard == ["connected ann"]


# ------------------------------------------------------------------ delete


@pytest.mark.parametrize("asleep", [False, True])
async def test_a_deleted_session_is_gone_and_its_connections_are_told(  # [ADMIN5]
    asleep: bool,
) -> None:
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    if asleep:
        await slept(on)
    status, said = await on.operated("DELETE")
    assert (status, said) == (200, {"deleted": "counter/x"})
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.NOT_FOUND
    assert ann.closing.retry_after is None
    assert await on.record() is None
    await on.advance(60_000)
    assert await on.record() is None
    bob = await on.connect("bob", cursor=ann.cursor, view=ann.view)
    await bob.send("increment")
    assert bob.view["context"] == {"count": 1}


async def test_what_was_under_way_when_a_session_is_deleted_never_happened() -> None:  # [ADMIN5]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    ann.took()
    with on.store.holding():
        await ann.send("increment")
        answered = on.operate("DELETE")
        await on.settle()
    await on.settle()
    answer = answered()
    assert answer is not None
    assert answer.status == 200
    assert ann.took() == []
    assert await on.record() is None


async def test_what_a_deleted_room_had_started_is_ended() -> None:  # [ADMIN5]
    machines.STARTED.clear()
    on = await stage(Worker)
    ann = await on.connect()
    await ann.send("go")
    [call] = machines.STARTED
    with on.store.holding("delete"):
        on.operate("DELETE")
        await on.settle()
        assert call.cancelled()
    await on.settle()


async def test_who_comes_while_a_session_is_deleted_finds_a_new_one() -> None:  # [ADMIN5]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding("delete"):
        on.operate("DELETE")
        await on.settle()
        bob = await on.connect("bob")
        assert bob.view is None
    await on.settle()
    assert ann.closing is not None
    cat = await on.connect("cat")
    assert cat.view["context"] == {"count": 0}


async def test_a_room_that_cannot_be_deleted_goes_on() -> None:  # [ADMIN5]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    on.store.break_next("delete")
    status, said = await on.operated("DELETE")
    assert (status, said["reason"]) == (503, "delete failed")
    await on.advance(5_000)
    await ann.send("increment")
    assert ann.closing is None
    assert ann.view["context"] == {"count": 2}


@pytest.mark.parametrize("falling", [False, True])
async def test_a_session_is_deleted_once_it_has_woken_or_slept(falling: bool) -> None:  # [ADMIN5]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    method = "release" if falling else "acquire"
    if not falling:
        await slept(on)
    with on.store.holding(method):
        if falling:
            await on.advance(10_000)
        else:
            await ann.send("increment")
        answered = on.operate("DELETE")
        await on.settle()
        assert answered() is None
    await on.settle()
    answer = answered()
    assert answer is not None
    assert answer.status == 200
    assert await on.record() is None


# ------------------------------------------------------------------ export and import


async def test_an_imported_session_is_equal_and_of_another_generation() -> None:  # [ADMIN6]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    before = await on.record()
    _, export = await on.operated("GET", path="/export")
    await ann.send("increment")
    assert (await on.operated("PUT", body=export))[0] == 409
    assert ann.view["context"] == {"count": 2}
    status, said = await on.operated("PUT", body=export, params={"replace": "1"})
    assert (status, said) == (200, {"imported": "counter/x", "revision": 1})
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.GOING_AWAY
    assert ann.closing.retry_after is not None
    after = await on.record()
    assert before is not None
    assert after is not None
    assert after.generation != before.generation
    assert (after.snapshot, after.marks, after.revision) == (
        before.snapshot, before.marks, before.revision,
    )  # fmt: skip
    back = await on.connect("ann", client=ann.client, cursor=ann.cursor, view=ann.view)
    assert "room.view" in back.types()  # a cursor of the former session is worth nothing
    await back.send("increment", seq=1)  # its mark came with it: the stored outcome
    assert back.view["context"] == {"count": 1}
    await back.send("increment", seq=2)
    assert back.view["context"] == {"count": 2}


async def test_the_past_comes_with_an_import() -> None:  # [ADMIN2] [ADMIN6]
    on = await stage(Book)
    for text in ("first", "second", "third"):
        await on.request("POST", body={"type": "put", "page": "p", "text": text})
    _, export = await on.operated("GET", path="/export")
    assert [entry[0] for entry in export["log"]] == [1, 2, 3]
    await on.request("POST", body={"type": "put", "page": "p", "text": "fourth"})
    assert (await on.operated("PUT", body=export, params={"replace": "1"}))[0] == 200
    await on.request("POST", body={"type": "put", "page": "q", "text": "after"})
    for revision, pages in (
        (1, {"p": "first"}),
        (3, {"p": "third"}),
        (4, {"p": "third", "q": "after"}),
    ):
        answer = await on.request("GET", params={"revision": str(revision)})
        assert json.loads(answer.body)["view"]["context"]["pages"] == pages


@pytest.mark.parametrize(
    "log", [[[1, 2]], [[3, 1, ""]], "x", [[1, 1, ""], [2, 1, "é"]], [[0, 1, ""]]]
)
async def test_a_log_that_is_none_is_refused_and_changes_nothing(log: Any) -> None:  # [ADMIN6]
    on = await stage(Book)
    for text in ("first", "second"):
        await on.request("POST", body={"type": "put", "page": "p", "text": text})
    before = await on.record()
    _, export = await on.operated("GET", path="/export")
    status, _ = await on.operated("PUT", body={**export, "log": log}, params={"replace": "1"})
    assert status == 422
    assert await on.record() == before


async def test_a_commit_of_the_former_session_is_refused_after_an_import() -> None:  # [ADMIN6]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    _, export = await on.operated("GET", path="/export")
    with on.store.answering_late():
        with on.store.holding():
            await ann.send("increment")
        await on.operated("PUT", body=export, params={"replace": "1"})
    await on.settle()
    assert (await on.stored())["context"] == {"count": 1}


@pytest.mark.parametrize("asleep", [False, True])
async def test_an_import_that_isnt_stored_leaves_what_was_there(asleep: bool) -> None:  # [ADMIN6]
    on = await stage()
    await on.request("POST", body={"type": "increment"})
    _, export = await on.operated("GET", path="/export")
    await on.request("POST", body={"type": "increment"})
    if asleep:
        await slept(on)
    before = await on.record()
    on.store.fail_next(written=False)
    assert (await on.operated("PUT", body=export, params={"replace": "1"}))[0] == 503
    after = await on.record()
    assert before is not None
    assert after is not None
    assert (after.generation, after.snapshot) == (before.generation, before.snapshot)
    answer = await on.request("POST", body={"type": "increment"})
    assert json.loads(answer.body)["view"]["context"] == {"count": 3}


async def test_an_import_that_the_store_refuses_is_none() -> None:  # [ADMIN6]
    on = await stage()
    await on.request("POST", body={"type": "increment"})
    _, export = await on.operated("GET", path="/export")
    with on.store.holding():
        answered = on.operate("PUT", body=export, params={"replace": "1"})
        await on.settle()
        await on.inner.delete(SessionId("counter", "x"))
    await on.settle()
    answer = answered()
    assert answer is not None
    assert answer.status == 503


async def test_a_session_whose_import_isnt_stored_wakes_when_it_is_due() -> None:  # [ADMIN6]
    on = await stage(Clock)
    ann = await on.connect()
    await ann.say("start")
    await ann.leave()
    await slept(on)
    _, export = await on.operated("GET", path="/export")
    on.store.fail_next(written=False)
    assert (await on.operated("PUT", body=export, params={"replace": "1"}))[0] == 503
    await on.advance(60_000)
    assert (await on.stored())["value"] == "over"


async def test_a_timer_comes_with_an_import() -> None:  # [ADMIN6]
    on = await stage()
    await on.request("POST", body={"type": "increment"})
    await slept(on)
    _, export = await on.operated("GET", path="/export")
    export["due"] = on.now() + 60_000
    await on.operated("PUT", body=export, params={"replace": "1"})
    await on.advance(59_000)
    assert not on.awake()
    await on.advance(1_500)
    assert on.awake()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda export: export.pop("generation"),
        lambda export: export.update(snapshot=None),
        lambda export: export.update(revision=0),
        lambda export: export.update(session="y"),
        lambda export: export.update(kind="/"),
        lambda export: export.update(marks={"a": "§"}),
    ],
)
async def test_what_is_no_export_is_refused_and_changes_nothing(spoil: Any) -> None:  # [ADMIN6]
    on = await stage()
    await on.request("POST", body={"type": "increment"})
    before = await on.record()
    _, export = await on.operated("GET", path="/export")
    spoil(export)
    status, _ = await on.operated("PUT", body=export, params={"replace": "1"})
    assert status == 422
    after = await on.record()
    assert after is not None
    assert before is not None
    assert after.generation == before.generation
