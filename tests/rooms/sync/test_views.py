"""The ready-made views show what they say, and nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rooms.sync.codec import encode
from rooms.sync.diff import diff
from rooms.sync.views import Viewer, everything, public, show


@dataclass(slots=True)
class Snapshot:
    """A machine's snapshot, as far as views look at it."""

    value: Any = "playing"
    context: Any = field(default_factory=dict)
    status: str = "active"
    tags: frozenset[str] = frozenset()
    output: Any = None
    error: Any = None
    children: dict[str, Any] = field(default_factory=dict)

    def matches(self, value: Any, /) -> bool:
        return bool(self.value == value)

    def has_tag(self, tag: str, /) -> bool:
        return tag in self.tags

    def can(self, event: Any, /) -> bool:
        return False


@dataclass(slots=True)
class Coroutine:
    """The snapshot of what isn't a machine: no value, context, tags or children."""

    status: str = "active"
    output: Any = None
    error: Any = None


@dataclass(slots=True)
class Ref:
    id: str
    now: Any

    def get_snapshot(self) -> Any:
        return self.now


ANN = Viewer("ann")
SECRET = {"answer": 42, "public": {"score": 1}}


def test_everything_is_everything() -> None:  # [VIEW1] [VIEW2]
    child = Snapshot(value="idle", context=SECRET)
    children = {"player": Ref("player", child), "load": Ref("load", Coroutine())}
    snapshot = Snapshot({"a": "b"}, SECRET, "done", frozenset("yx"), 7, None, children)
    assert everything(snapshot, ANN) == {
        "value": {"a": "b"},
        "context": SECRET,
        "status": "done",
        "tags": ["x", "y"],
        "output": 7,
        "children": {
            "player": {"value": "idle", "context": SECRET, "status": "active"},
            "load": {"status": "active"},
        },
    }
    assert everything(snapshot, ANN)["context"] is SECRET


def test_public_is_what_lies_under_public() -> None:  # [VIEW2]
    children = {
        "player": Ref("player", Snapshot("idle", SECRET, "active", frozenset("z"))),
        "load": Ref("load", Coroutine("active", "a secret")),
    }
    snapshot = Snapshot("over", SECRET, "done", frozenset("x"), "a secret", None, children)
    assert public(snapshot, ANN) == {
        "value": "over",
        "context": {"score": 1},
        "status": "done",
        "tags": ["x"],
        "children": {
            "player": {
                "value": "idle",
                "context": {"score": 1},
                "status": "active",
                "tags": ["z"],
            }
        },
    }
    assert public(snapshot, ANN)["context"] is SECRET["public"]


def test_children_of_children_are_shown_by_the_same_rule() -> None:
    inner = Ref("inner", Snapshot("deep", SECRET))
    child = Ref("child", Snapshot("mid", SECRET, children={"inner": inner}))
    snapshot = Snapshot(children={"child": child})
    assert public(snapshot)["children"]["child"]["children"]["inner"]["context"] == {"score": 1}
    inner.now = Snapshot("deeper", SECRET)  # the grandchild alone went on
    assert public(snapshot)["children"]["child"]["children"]["inner"]["value"] == "deeper"


def test_an_error_is_told_by_name_and_never_in_public() -> None:  # [DOOR10]
    @dataclass
    class Stored:
        name: str
        message: str

    failed = Snapshot(status="error", error=ValueError("the password is abc"))
    assert everything(failed)["error"] == {"name": "ValueError", "message": "the password is abc"}
    stored = Snapshot(status="error", error=Stored("KeyError", "x"))
    assert everything(stored)["error"] == {"name": "KeyError", "message": "x"}
    named = Snapshot(status="error", error=ImportError("broken", name="secret"))
    assert everything(named)["error"] == {"name": "ImportError", "message": "broken"}
    for view in (public(failed), show(failed)):
        assert view["error"] == {"message": "the room failed"}


def test_empty_fields_are_left_out_but_zero_isnt_empty() -> None:  # [VIEW1]
    assert everything(Snapshot({}, {})) == {"status": "active"}
    assert everything(Snapshot("a", {}, output=[])) == {"value": "a", "status": "active"}
    assert everything(Snapshot("a", 0, "done", output=False)) == {
        "value": "a",
        "context": 0,
        "status": "done",
        "output": False,
    }
    contexts: list[Any] = [{"public": {}}, {}, None, 5, [1]]
    for context in contexts:
        assert public(Snapshot("a", context)) == {"value": "a", "status": "active"}


def test_a_view_of_ones_own() -> None:
    snapshot = Snapshot("a", SECRET, tags=frozenset("x"), output="secret")
    assert show(snapshot) == {"value": "a", "status": "active", "tags": ["x"]}
    assert show(snapshot, context={"n": 1}, children={"c": {"value": "v"}}, output=3) == {
        "value": "a",
        "status": "active",
        "tags": ["x"],
        "context": {"n": 1},
        "children": {"c": {"value": "v"}},
        "output": 3,
    }


def test_what_is_rebuilt_keeps_its_identity() -> None:
    refs = {f"p{i}": Ref(f"p{i}", Snapshot("idle", {"n": i})) for i in range(3)}
    one = Snapshot("a", {"x": 1}, tags=frozenset({"busy"}), children=dict(refs))
    other = Snapshot("a", one.context, tags=frozenset({"busy"}), children=dict(refs))
    before, after = everything(one), everything(other)
    assert diff(before, after) == []
    assert before["tags"] is after["tags"]
    assert before["children"]["p1"] is after["children"]["p1"]
    refs["p1"].now = Snapshot("ready", {"n": 1})
    assert diff(before, everything(other)) == [[["children", "p1", "value"], "ready"]]


def test_remembering_views_of_children_is_bounded() -> None:
    for number in range(3000):
        view = everything(Snapshot(children={"c": Ref("c", Snapshot("a", {"n": number}))}))
        assert view["children"]["c"]["context"] == {"n": number}
    assert len(everything._children) <= 1024


def test_a_view_encodes() -> None:
    child = Ref("p", Snapshot("idle", {"n": 1}))
    assert encode(everything(Snapshot("a", {"x": [1]}, children={"p": child})), "json")
