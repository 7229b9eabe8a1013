"""Plain HTTP on the same path: looks, events, keys for harmless repeats, the author's hook."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.rooms.host import machines
from tests.rooms.host.machines import Counter, Private
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.link.protocol import Answer

INCREMENT = {"type": "increment"}


async def stage(kind: type[Room] = Counter) -> Stage:
    return await Stage(counter=kind).start()


def body(answer: Answer) -> Any:
    return json.loads(answer.body)


async def test_get_answers_the_view_with_its_cursor_as_etag() -> None:  # [HTTP1]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    answer = await on.request("GET")
    assert answer.status == 200
    assert answer.headers["etag"] == f'"{ann.cursor}"'
    assert body(answer) == {"cursor": ann.cursor, "now": on.loop.now(), "view": ann.view}


async def test_get_of_what_is_known_is_304_over_a_sleep_too() -> None:  # [HTTP1]
    on = await stage()
    await on.request("POST", body=INCREMENT)
    etag = (await on.request("GET")).headers["etag"]
    known = {"if-none-match": etag}
    assert (await on.request("GET", headers=known)).status == 304
    one_of_several = {"if-none-match": f'"another", W/{etag}'}
    assert (await on.request("GET", headers=one_of_several)).status == 304
    await on.advance(30_000)
    assert not on.awake()
    assert (await on.request("GET", headers=known)).status == 304
    await on.request("POST", body=INCREMENT)
    assert (await on.request("GET", headers=known)).status == 200


async def test_get_of_a_room_that_never_was_shows_where_it_would_begin() -> None:
    on = await stage()
    assert body(await on.request("GET"))["view"]["context"] == {"count": 0}
    answer = await on.request("GET", create=False)
    assert answer.status == 404


async def test_views_by_http_are_the_viewers_own() -> None:
    on = await stage(Private)
    assert body(await on.request("GET", who="ann"))["view"]["context"]["you"] == "ann"
    assert body(await on.request("GET", who="ben"))["view"]["context"]["you"] == "ben"


async def test_post_answers_with_outcome_cursor_and_view_when_it_is_stored() -> None:  # [HTTP2]
    on = await stage()
    ann = await on.connect()
    with on.store.holding():
        asked = on.ask("POST", body={"type": "ask", "by": 3})
        await on.settle()
        assert asked() is None
    await on.settle()
    answer = asked()
    assert answer is not None
    assert answer.status == 200
    assert body(answer) == {
        "outcome": "accepted",
        "result": {"count": 3},
        "cursor": ann.cursor,
        "view": ann.view,
    }


@pytest.mark.parametrize(
    ("event", "status", "outcome"),
    [
        ({"type": "nonsense"}, 200, "ignored"),
        ({"type": "secret"}, 403, "rejected"),
        ({"type": "broken"}, 422, "rejected"),
        ({"type": "increment", "sender": "ben"}, 422, "rejected"),
        ({"type": "room.joined"}, 422, "rejected"),
        ({"no": "type"}, 422, "rejected"),
        ([1, 2], 422, "rejected"),
    ],
)
async def test_post_says_what_became_of_it(event: Any, status: int, outcome: str) -> None:
    # [HTTP2]
    on = await stage()
    answer = await on.request("POST", body=event)
    assert answer.status == status
    assert body(answer)["outcome"] == outcome


@pytest.mark.parametrize("type", ["application/x-www-form-urlencoded", "text/plain", ""])
async def test_an_event_is_posted_as_json(type: str) -> None:  # [HTTP4]
    on = await stage()
    answer = await on.request("POST", body=INCREMENT, headers={"content-type": type})
    assert answer.status == 415
    assert not on.awake()
    typed = {"content-type": "Application/JSON; charset=utf-8"}
    assert (await on.request("POST", body=INCREMENT, headers=typed)).status == 200


async def test_what_isnt_json_is_400() -> None:  # [HTTP4]
    on = await stage()
    assert (await on.request("POST", body=b"{")).status == 400
    assert not on.awake()


@pytest.mark.parametrize("between", ["nothing", "sleep", "crash"])
async def test_a_key_makes_a_repeat_harmless(between: str) -> None:  # [HTTP3]
    on = await stage()
    key = {"idempotency-key": "order 7"}
    first = await on.request("POST", body={"type": "ask"}, headers=key)
    if between == "sleep":
        await on.advance(30_000)
    elif between == "crash":
        await on.crash()
    again = await on.request("POST", body={"type": "ask"}, headers=key)
    assert body(again)["result"] == body(first)["result"] == {"count": 1}
    assert body(again)["view"]["context"] == {"count": 1}
    other = await on.request("POST", body={"type": "ask"}, headers=key, who="ben")
    assert body(other)["result"] == {"count": 2}, "another subject's key is another key"


@pytest.mark.parametrize("between", ["nothing", "sleep", "crash"])
async def test_a_key_stands_for_one_event(between: str) -> None:  # [HTTP3]
    on = await stage()
    key = {"idempotency-key": "order 7"}
    await on.request("POST", body={"type": "ask", "for": 1, "of": "a"}, headers=key)
    if between == "sleep":
        await on.advance(30_000)
    elif between == "crash":
        await on.crash()
    another = await on.request("POST", body={"type": "ask", "for": 2, "of": "a"}, headers=key)
    assert another.status == 422
    assert body(another)["outcome"] == "rejected"
    assert "another event" in body(another)["reason"]
    assert body(another)["view"]["context"] == {"count": 1}
    same = await on.request("POST", body={"of": "a", "for": 1, "type": "ask"}, headers=key)
    assert (same.status, body(same)["result"]) == (200, {"count": 1})


async def test_of_two_events_with_one_key_at_once_one_is_handled() -> None:  # [HTTP3]
    on = await stage()
    key = {"idempotency-key": "k"}
    first = on.ask("POST", body={"type": "ask"}, headers=key)
    other = on.ask("POST", body=INCREMENT, headers=key)
    await on.settle()
    done, refused = first(), other()
    assert done is not None
    assert refused is not None
    assert (done.status, refused.status) == (200, 422)
    assert body(refused)["view"]["context"] == {"count": 1}


async def test_two_requests_with_one_key_at_once_are_one_event() -> None:  # [HTTP3]
    on = await stage()
    key = {"idempotency-key": "k"}
    asked = [on.ask("POST", body={"type": "ask"}, headers=key) for _ in range(3)]
    await on.settle()
    results = [body(answer)["result"] for ask in asked if (answer := ask())]
    assert results == [{"count": 1}] * 3


async def test_a_key_that_is_too_long_is_refused() -> None:
    on = await stage()
    answer = await on.request("POST", body=INCREMENT, headers={"idempotency-key": "k" * 201})
    assert answer.status == 400


async def test_an_unknown_kind_is_404() -> None:  # [NAME2]
    on = await stage()
    assert (await on.request("GET", "nothing/x")).status == 404


async def test_anything_else_goes_to_the_authors_hook() -> None:
    class Kind(Counter):
        async def on_request(self, request: Any) -> Any:
            if request.url.path.endswith("/missing"):
                return None
            if request.url.path.endswith("/broken"):
                raise ValueError("secret of the stack")
            if request.method == "PUT":
                return Response(await request.body(), 201, {"x-room": self.id})
            return JSONResponse({"path": request.url.path, "query": dict(request.query_params)})

    on = await stage(Kind)
    answer = await on.request("GET", path="/export")
    assert (answer.status, body(answer)) == (
        200,
        {"path": "/rooms/counter/x/export", "query": {}},
    )
    answer = await on.request("PUT", path="/export", body=b"data")
    assert (answer.status, answer.body, answer.headers["x-room"]) == (201, b"data", "x")
    assert (await on.request("GET", path="/missing")).status == 404
    answer = await on.request("GET", path="/broken")
    assert answer.status == 500
    assert b"secret" not in answer.body


async def test_an_answer_may_have_several_headers_of_one_name() -> None:  # [HTTP5]
    class Kind(Counter):
        def on_request(self, request: Any) -> Any:
            response = Response(headers={"x-room": self.id})
            response.set_cookie("one", "1")
            response.set_cookie("two", "2")
            return response

    on = await stage(Kind)
    answer = await on.request("GET", path="/export")
    assert answer.headers["x-room"] == "x"
    assert "content-length" not in answer.headers  # its router says how long it is
    cookies = answer.headers["set-cookie"].split("\n")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["one=1", "two=2"]


async def test_without_a_hook_the_room_isnt_woken() -> None:
    on = await stage()
    assert (await on.request("GET", path="/export")).status == 404
    assert (await on.request("DELETE")).status == 404
    assert on.store.calls["acquire"] == 0


async def test_the_authors_authenticate_decides_for_requests_too() -> None:  # [ID4]
    class Kind(Counter):
        @classmethod
        async def authenticate(cls, door: Any) -> Any:
            if door.headers.get("x-name") is None:
                return None
            return replace(door.viewer, id=door.headers["x-name"])

    on = await stage(Kind)
    assert (await on.request("GET")).status == 401
    machines.SENDERS.clear()
    answer = await on.request("POST", body={"type": "noted"}, headers={"x-name": "eve"})
    assert answer.status == 200
    assert machines.SENDERS == ["eve"]
