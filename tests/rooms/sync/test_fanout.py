"""Each change is said once to all who share a view, and each connection is told what it lacks."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Any

import pytest

from rooms.link import protocol
from rooms.link.protocol import Joined, Message, Moment, Tell
from rooms.sync import codec, messages, watch
from rooms.sync.diff import apply
from rooms.sync.fanout import SAVED, UNWATCHED, Fanout

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rooms.sync.codec import Codec

NOW = 1_000_000
BIG = {f"player-{i}": {"name": "x" * 20, "score": i} for i in range(100)}


class Listener:
    """A connection as the router keeps it: its lane, its cursor, and the view its client holds."""

    def __init__(self, number: int, codec: Codec) -> None:
        self.number = number
        self.codec = codec
        self.lane: int | None = None
        self.cursor: str | None = None
        self.view: Any = None
        self.heard: list[dict[str, Any]] = []

    def take(self, data: bytes, cursor: str | None) -> None:
        message = codec.decode(data, self.codec, max_claim=2**31)
        self.heard.append(message)
        match message["type"]:
            case "room.view":
                assert message["now"] == NOW
                self.view = message["view"]
            case "room.patch":
                assert message["base"] == self.cursor
                self.view = apply(self.view, message["ops"])
            case "room.unchanged":
                assert self.view is not None
            case _:
                assert cursor is None
                return
        assert message["cursor"] == cursor
        self.cursor = cursor


class Audience:
    """The router's half, for one room: it hands each message to whom it is for."""

    def __init__(self, fanout: Fanout) -> None:
        self.fanout = fanout
        self.listeners: dict[int, Listener] = {}
        self.behind: list[int] = []
        self.broken: list[Hashable] = []
        self.frames: list[protocol.Fanout] = []

    def report(self, key: Hashable, error: Exception) -> None:
        self.broken.append(key)

    def join(
        self,
        channel: int,
        view: Any,
        key: Hashable = "all",
        codec: Codec = "json",
        held: Listener | None = None,
        quiet: bool = False,
    ) -> Listener:
        listener = Listener(channel, codec)
        if held is not None:
            listener.cursor, listener.view = held.cursor, held.view
        self.listeners[channel] = listener
        cursor = listener.cursor
        self.hear(self.fanout.attach(channel, codec, key, view, cursor, NOW, quiet=quiet))
        return listener

    def leave(self, channel: int) -> Listener:
        self.fanout.detach(channel)
        return self.listeners.pop(channel)

    def update(self, views: dict[Hashable, Any]) -> list[Message]:
        told = self.fanout.update(views.__getitem__, NOW, self.report)
        self.hear(told)
        return told

    def hear(self, told: list[Message]) -> None:
        for message in told:
            protocol.decode(protocol.encode(message))  # it can cross a wire
            match message:
                case Joined(channel, lane):
                    self.listeners[channel].lane = lane
                case Tell(channel, data, cursor):
                    self.listeners[channel].take(data, cursor)
                case protocol.Fanout(lane, base, cursor, data):
                    self.frames.append(message)
                    for listener in self.listeners.values():
                        if listener.lane == lane and base in (None, listener.cursor):
                            listener.take(data, cursor)
                        elif listener.lane == lane:
                            self.behind.append(listener.number)
                case _:
                    raise AssertionError(message)


def make(nonce: str = "nonce-1", saved: Any = None) -> Audience:
    return Audience(Fanout(nonce, saved, itertools.count(1)))


def counted(count: int, **more: Any) -> dict[str, Any]:
    return {"value": "a", "context": {"count": count, "big": BIG, **more}}


def types(listener: Listener) -> list[str]:
    return [message["type"] for message in listener.heard]


# ------------------------------------------------------------------ sharing


def test_one_frame_serves_all_who_share_a_view() -> None:  # [VIEW5]
    room = make()
    for channel in range(100):
        room.join(channel, counted(1))
    room.update({"all": counted(2)})
    assert len(room.frames) == 1
    assert all(listener.view == counted(2) for listener in room.listeners.values())
    assert all(types(one) == ["room.view", "room.patch"] for one in room.listeners.values())


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def counting(message: Any, of: Codec) -> bytes:
        calls.append(message)
        return codec.encode(message, of)

    monkeypatch.setattr(watch, "encode", counting)
    return calls


def test_a_view_is_encoded_once_a_codec_for_all_who_come(encoded: list[Any]) -> None:
    room = make()
    for channel in range(50):
        room.join(channel, counted(1), codec="json" if channel % 2 else "msgpack")
    # the second of each codec shows that it is shared, and keeps it for the others
    assert len(encoded) == 4
    for one in list(room.listeners.values()):
        room.leave(one.number)
        room.join(one.number + 100, counted(1), codec=one.codec)


def test_a_change_is_encoded_once_a_codec(encoded: list[Any]) -> None:
    room = make()
    for channel in range(10):
        room.join(channel, counted(1), codec="json" if channel % 2 else "msgpack")
    del encoded[:]
    room.update({"all": counted(2)})
    assert len(encoded) == 2
    assert {listener.lane for listener in room.listeners.values()} == {1, 2}
    assert all(listener.view == counted(2) for listener in room.listeners.values())


def test_a_view_key_that_doesnt_see_a_change_hears_nothing() -> None:  # [VIEW5]
    room = make()
    ann = room.join(1, counted(1, own="a"), "ann")
    bob = room.join(2, counted(1, own="b"), "bob")
    for number in range(3):
        room.update({"ann": counted(1, own=f"a{number}"), "bob": counted(1, own="b")})
    assert types(ann) == ["room.view", *["room.patch"] * 3]
    assert types(bob) == ["room.view"]
    held = bob.cursor
    room.update({"ann": counted(1, own="a3"), "bob": counted(1, own="c")})
    assert held is not None
    assert bob.cursor is not None
    assert [held.split(".")[1], bob.cursor.split(".")[1]] == ["0", "1"]


def test_a_view_that_raises_changes_nothing() -> None:
    room = make()
    ann = room.join(1, counted(1), "ann")
    room.join(2, counted(1), "bob")
    with pytest.raises(KeyError):
        room.update({"ann": counted(2)})
    room.update({"ann": counted(2), "bob": counted(1)})
    assert ann.view == counted(2)


def test_a_view_that_cant_be_encoded_is_nobodys_but_its_watchers_affair() -> None:
    room = make()
    ann = room.join(1, counted(1), "ann")
    bob = room.join(2, counted(1), "bob")
    broken = counted(2, bad={1, 2})
    cursor = ann.cursor
    for number in (2, 3):
        room.update({"ann": broken, "bob": counted(number)})
    assert room.broken == ["ann", "ann"]
    assert (ann.view, ann.cursor, bob.view) == (counted(1), cursor, counted(3))
    assert room.fanout.cursor(1) == cursor
    room.hear(room.fanout.want(1, None, NOW))
    assert ann.view == counted(1)
    for channel, key in [(3, "ann"), (4, "cat")]:
        with pytest.raises(TypeError):
            room.join(channel, broken, key)
        assert room.fanout.cursor(channel) is None
    del room.listeners[3], room.listeners[4]
    room.update({"ann": counted(4), "bob": counted(4)})
    assert (ann.view, bob.view) == (counted(4), counted(4))
    assert types(ann) == ["room.view", "room.view", "room.patch"]
    assert room.behind == []


# ------------------------------------------------------------------ resume


def test_who_holds_the_newest_is_told_just_that() -> None:  # [VIEW7]
    room = make()
    room.join(1, counted(1))
    ann = room.leave(1)
    again = room.join(2, counted(1), held=ann)
    assert again.heard == [messages.unchanged(ann.cursor or "", NOW)]


def test_quiet_is_not_a_word_for_who_holds_the_newest() -> None:
    room = make()
    room.join(1, counted(1))
    ann = room.leave(1)
    again = room.join(2, counted(1), held=ann, quiet=True)
    assert again.heard == []
    assert again.lane is not None
    ann = room.leave(2)
    assert types(room.join(3, counted(2), held=ann, quiet=True)) == ["room.patch"]


def test_who_missed_steps_gets_them_as_one_patch() -> None:  # [VIEW7]
    room = make()
    room.join(1, counted(0))
    room.join(2, counted(0))
    ann = room.leave(1)
    for number in range(1, 6):
        room.update({"all": counted(number)})
    again = room.join(3, counted(5), held=ann)
    assert types(again) == ["room.patch"]
    assert again.view == counted(5)


def test_a_view_key_that_nobody_watched_meanwhile_steps_once() -> None:  # [VIEW7]
    room = make()
    room.join(1, counted(0), "ann")
    ann = room.leave(1)
    for _ in range(5):
        assert room.update({}) == []  # nobody is asked for a view that nobody watches
    again = room.join(2, counted(5), "ann", held=ann)
    assert types(again) == ["room.patch"]
    assert again.view == counted(5)


def test_who_is_too_far_behind_gets_the_whole_view() -> None:  # [VIEW7] [CURSOR4]
    room = make()
    room.join(1, counted(0))
    room.join(2, counted(0))
    ann = room.leave(1)
    for number in range(1, 70):
        room.update({"all": counted(number)})
    again = room.join(3, counted(69), held=ann)
    assert types(again) == ["room.view"]
    assert again.view == counted(69)


def test_the_smaller_of_patch_and_view_is_sent() -> None:  # [CURSOR4]
    small = [{"context": {"list": [i] * 200}} for i in range(8)]
    room = make()
    room.join(1, small[0])
    room.join(2, small[0])
    ann = room.leave(1)
    for number in range(1, 8):
        room.update({"all": small[number]})
    again = room.join(3, small[7], held=ann)
    assert types(again) == ["room.view"]
    assert again.view == small[7]


def test_steps_are_kept_as_long_as_they_are_smaller_than_the_view() -> None:  # [CURSOR4]
    room = make()
    parts = {f"part-{i}": ["x" * 100] * 20 for i in range(10)}
    room.join(1, {"context": parts})
    for number in range(40):
        parts = {**parts, f"part-{number % 10}": [str(number) * 50] * 20}
        room.update({"all": {"context": parts}})
    kept = room.fanout._watches["all"].backlog._steps
    assert 5 < len(kept) < 15


def test_a_change_of_nearly_everything_is_told_as_a_view() -> None:
    room = make()
    old = {"context": {f"a-rather-long-name-{i}": 0 for i in range(200)}, "value": "a"}
    new = {"context": {**dict.fromkeys(old["context"], 1), "kept": 0}, "value": "a"}
    kept = {"context": {**old["context"], "kept": 0}, "value": "a"}  # type: ignore[dict-item]
    ann = room.join(1, kept)
    held = ann.cursor
    room.update({"all": new})
    assert types(ann) == ["room.view", "room.view"]
    assert room.frames[-1].base == held
    assert ann.view == new


def test_a_changed_view_key_always_gets_the_whole_view() -> None:  # [CURSOR2]
    room = make()
    ann = room.join(1, counted(1), "player")
    room.join(2, counted(1, more=True), "judge")
    room.hear(room.fanout.move(1, "judge", counted(1, more=True), NOW))
    assert types(ann) == ["room.view", "room.view"]
    room.update({"judge": counted(2, more=True)})
    assert ann.view == counted(2, more=True)
    # … also when it changed while the connection was away, though the views be equal
    ann = room.leave(1)
    assert types(room.join(3, counted(2, more=True), "player", held=ann)) == ["room.view"]


def test_cursors_of_two_view_keys_never_meet() -> None:  # [CURSOR2]
    room = make()
    ann, bob = room.join(1, counted(1), "ann"), room.join(2, counted(1), "bob")
    assert ann.cursor != bob.cursor
    ann = room.leave(1)
    assert types(room.join(3, counted(1), "bob", held=ann)) == ["room.view"]


def test_want_always_sets_the_cursor() -> None:  # [VIEW6] [VIEW10]
    room = make()
    ann, bob = room.join(1, counted(0)), room.join(2, counted(0))
    cursor = ann.cursor
    room.hear(room.fanout.want(1, cursor, NOW))
    assert types(ann) == ["room.view", "room.unchanged"]
    ann.lane = None  # slow: it misses frames
    for number in range(1, 4):
        room.update({"all": counted(number)})
    room.hear(room.fanout.want(1, cursor, NOW))
    assert types(ann)[-1] == "room.patch"
    assert ann.view == bob.view == counted(3)
    assert ann.cursor == bob.cursor == room.fanout.cursor(1)
    room.hear(room.fanout.want(1, None, NOW))
    assert types(ann)[-1] == "room.view"
    assert room.fanout.want(99, None, NOW) == []


def test_who_joins_with_a_newer_view_brings_it_to_the_others() -> None:
    room = make()
    ann = room.join(1, counted(1))
    bob = room.join(2, counted(2))
    assert ann.view == bob.view == counted(2)
    assert ann.cursor == bob.cursor
    assert room.behind == []


# ------------------------------------------------------------------ sleep and crash


def test_a_cursor_outlives_a_clean_sleep_if_the_view_does() -> None:  # [VIEW8]
    room = make()
    room.join(1, counted(1), "ann")
    room.join(2, counted(1, own=2), "bob")
    room.update({"ann": counted(2), "bob": counted(1, own=3)})
    ann, bob = room.leave(1), room.leave(2)
    woken = make("nonce-2", room.fanout.save())
    reordered = dict(reversed(counted(2).items()))  # as a store may give it back
    assert types(woken.join(1, reordered, "ann", held=ann)) == ["room.unchanged"]
    assert woken.join(3, reordered, "ann", held=ann, quiet=True).heard == []
    assert types(woken.join(2, counted(1, own=9), "bob", held=bob)) == ["room.view"]
    woken.update({"ann": counted(3), "bob": counted(1, own=9)})
    assert woken.listeners[3].view == counted(3)
    assert types(woken.listeners[3]) == ["room.patch"]


def test_a_saved_cursor_outlives_many_sleeps() -> None:
    saved = None
    held: Listener | None = None
    for number in range(4):
        room = make(f"nonce-{number}", saved)
        listener = room.join(1, counted(1), held=held)
        assert types(listener) == ["room.unchanged" if number else "room.view"]
        held, saved = room.leave(1), room.fanout.save()


def test_after_a_crash_no_cursor_is_honoured() -> None:  # [VIEW8]
    room = make("nonce-1")
    room.join(1, counted(1))
    saved = room.fanout.save()
    woken = make("nonce-2", saved)
    ann = woken.join(1, counted(1), held=room.listeners[1])
    woken.update({"all": counted(2)})  # and now it crashes: its steps are lost with it
    after = make("nonce-3", None)
    assert types(after.join(1, counted(1), held=ann)) == ["room.view"]
    # even if what the sleep before it had saved came back, nothing could be mistaken
    stale = make("nonce-3", saved)
    stale.join(2, counted(1))
    stale.update({"all": counted(7)})
    assert types(stale.join(1, counted(7), held=ann)) == ["room.view"]


def test_a_forgotten_view_key_begins_anew() -> None:  # [CURSOR3]
    room = make()
    ann = room.join(0, counted(0), "ann")
    room.update({"ann": counted(1)})
    room.leave(0)
    for channel in range(1, UNWATCHED + 1):
        room.join(channel, counted(0), channel)
        room.leave(channel)
    room.join(1, counted(0), "ann")
    room.update({"ann": counted(2)})
    assert types(room.join(2, counted(2), "ann", held=ann)) == ["room.view"]


def test_what_is_remembered_is_bounded() -> None:
    room = make()
    for channel in range(1000):
        room.join(channel, counted(0), channel)
        room.leave(channel)
    assert len(room.fanout._watches) == UNWATCHED
    assert len(room.fanout.save()) == UNWATCHED
    for channel in range(1000):
        room.join(channel, counted(0), channel)
    assert len(room.fanout.save()) == SAVED


def test_looking_is_not_watching() -> None:  # [HTTP1]
    room = make()
    cursor, told = room.fanout.look("ann", counted(1), NOW)
    assert told == []
    assert room.fanout.look("ann", counted(1), NOW) == (cursor, [])
    ann = room.join(1, counted(1), "ann")
    assert ann.cursor == cursor
    newer, told = room.fanout.look("ann", counted(2), NOW)
    room.hear(told)
    assert newer != cursor
    assert (ann.cursor, ann.view) == (newer, counted(2))
    room.leave(1)
    for number in range(UNWATCHED + 10):
        room.fanout.look(number, counted(1), NOW)
    assert len(room.fanout._watches) == UNWATCHED


# ------------------------------------------------------------------ other messages


def test_an_outcome_is_told_with_its_number() -> None:  # [SEND5]
    room = make()
    room.join(1, counted(1), codec="msgpack")
    told = room.fanout.tell(1, messages.outcome(7, "accepted", room.fanout.cursor(1)), 7)
    assert (told.channel, told.seq, told.cursor) == (1, 7, None)
    room.hear([told])
    assert room.listeners[1].heard[-1]["outcome"] == "accepted"
    with pytest.raises(KeyError):
        room.fanout.tell(2, messages.status("live"))


def test_an_emitted_event_goes_to_every_lane() -> None:  # [VIEW9]
    room = make()
    listeners = [
        room.join(1, counted(1), "ann"),
        room.join(2, counted(1), "ann", "msgpack"),
        room.join(3, counted(1), "bob"),
    ]
    room.join(4, counted(1), "cat")
    room.leave(4)
    message = messages.emitted({"type": "cheer"})
    room.hear(room.fanout.emit(message))
    assert [listener.heard[-1] for listener in listeners] == [message] * 3
    assert len(room.frames) == 3


def test_what_is_volatile_goes_to_every_lane_or_to_its_readers() -> None:  # [VOLATILE1]
    room = make()
    room.join(1, counted(1), "ann")
    room.join(2, counted(1), "ann", "msgpack")
    named = {"a": messages.emitted({"type": "a"}), "b": messages.emitted({"type": "b"})}
    everybody = room.fanout.moment(named)
    assert [(each.channel, [*each.named]) for each in moments(everybody)] == [
        (None, ["a", "b"])
    ] * 2
    assert len({each.named["a"] for each in moments(everybody)}) == 2
    told = room.fanout.moment(named, [(2, ("b",)), (99, ("a",))])
    assert [(each.channel, [*each.named]) for each in moments(told)] == [(2, ["b"])]
    assert room.fanout.moment({}) == []


def moments(told: list[Message]) -> list[Moment]:
    assert all(isinstance(each, Moment) for each in told)
    return [each for each in told if isinstance(each, Moment)]


def test_who_left_is_unknown() -> None:
    room = make()
    room.join(1, counted(1))
    assert room.fanout.cursor(1) is not None
    room.leave(1)
    room.fanout.detach(1)
    assert room.fanout.cursor(1) is None
    assert room.update({}) == []


# ------------------------------------------------------------------ all together


@pytest.mark.parametrize("seed", range(30))
def test_every_connection_ends_with_its_view(seed: int) -> None:  # [VIEW3] [VIEW7]
    roll = random.Random(seed)
    keys = ["ann", "bob", "cat"]
    views: dict[Hashable, Any] = {key: counted(0, own=key) for key in keys}
    room, away, number = make(), list[tuple[str, Listener]](), 0
    places: dict[int, str] = {}
    for step in range(300):
        match roll.randrange(8):
            case 0 | 1:
                key = roll.choice(keys)
                views[key] = counted(step, own=key, log=[step] * roll.randrange(4))
                room.update(views)
            case 2 | 3:
                number += 1
                codec: Codec = roll.choice(["json", "msgpack"])
                held = None
                key = roll.choice(keys)
                if away and roll.random() < 0.7:
                    key, held = away.pop(roll.randrange(len(away)))
                room.join(number, views[key], key, codec, held, roll.random() < 0.5)
                places[number] = key
            case 4 if places:
                channel = roll.choice(list(places))
                away.append((places.pop(channel), room.leave(channel)))
            case 5 if places:
                listener = room.listeners[roll.choice(list(places))]
                cursor = roll.choice([listener.cursor, None])
                room.hear(room.fanout.want(listener.number, cursor, NOW))
            case 6 if places:
                channel = roll.choice(list(places))
                places[channel] = roll.choice(keys)
                moved = room.fanout.move(channel, places[channel], views[places[channel]], NOW)
                room.hear(moved)
            case 7 if roll.random() < 0.2:
                saved = room.fanout.save() if roll.random() < 0.5 else None
                away += [(key, room.leave(channel)) for channel, key in places.items()]
                room, places = make(f"life-{step}", saved), {}
        assert room.behind == []
        for channel, key in places.items():
            listener = room.listeners[channel]
            assert listener.view == views[key]
            assert listener.cursor == room.fanout.cursor(channel)
