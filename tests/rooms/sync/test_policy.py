"""A policy shows what its rows grant, to whom they grant it, and nothing of the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooms import (
    UsageError,
    Viewer,
    count,
    everything,
    hidden,
    own,
    policy,
    role,
    shown,
    team,
    when,
)
from rooms.definition import Room
from rooms.sync.diff import diff
from rooms.sync.lens import KEYS
from rooms.sync.policy import Policy
from runtime import System, assign, create_machine
from runtime.statechart.values import matches_state


@dataclass(slots=True)
class Snapshot:
    """A machine's snapshot, as far as views look at it."""

    context: Any = field(default_factory=dict)
    value: Any = "deal"
    status: str = "active"
    tags: frozenset[str] = frozenset()
    output: Any = None
    error: Any = None
    children: dict[str, Any] = field(default_factory=dict)

    def matches(self, value: Any, /) -> bool:
        return matches_state(value, self.value)

    def has_tag(self, tag: str, /) -> bool:
        return tag in self.tags

    def can(self, event: Any, /) -> bool:
        return False


@dataclass(slots=True)
class Ref:
    now: Any

    def get_snapshot(self) -> Any:
        return self.now


ANN, BOB, EVE = Viewer("ann"), Viewer("bob"), Viewer("eve", "spectator")
HANDS: dict[str, Any] = {"ann": [1, 2], "bob": [3, 4, 5]}


def lens(table: Any, **who: Any) -> Any:
    """The view of a room with this table."""
    kind = type("Made", (Room,), {"view": policy(table, **who)})
    return kind("made", "x").view


def sees(viewer: Viewer, snapshot: Snapshot, table: Any, **who: Any) -> Any:
    return lens(table, **who)(snapshot, viewer)


def context(viewer: Viewer, data: Any, table: Any, **who: Any) -> Any:
    return sees(viewer, Snapshot(data), table, **who).get("context")


# ------------------------------------------------------------------ what is granted


def test_what_no_row_names_is_hidden() -> None:  # [VIEW11]
    snapshot = Snapshot({"a": 1, "b": 2}, tags=frozenset("t"), output=3, error=ValueError("x"))
    snapshot.children["c"] = Ref(Snapshot({"d": 4}))
    assert sees(ANN, snapshot, {"context.a": shown}) == {"context": {"a": 1}}
    assert sees(ANN, snapshot, {"status": shown}) == {"status": "active"}
    assert sees(ANN, snapshot, {"context.nothing": shown}) == {}


def test_a_row_holds_for_all_below_that_no_other_row_names() -> None:  # [VIEW11]
    data = {"a": {"b": 1, "c": {"d": 2, "e": 3}}}
    table = {"context": shown, "context.a.c": hidden, "context.a.c.e": shown}
    assert context(ANN, data, table) == {"a": {"b": 1, "c": {"e": 3}}}


def test_a_row_that_grants_nothing_hides_what_is_shown_around_it() -> None:  # [VIEW11]
    table = {"context": shown, "context.hands.*": own, "context.deck": when("over")}
    assert context(EVE, {"hands": HANDS, "deck": [1], "n": 2}, table) == {"hands": {}, "n": 2}


def test_the_whole_view_and_but_for_one_thing() -> None:  # [VIEW11]
    snapshot = Snapshot({"a": 1, "b": 2}, output=3)
    seen = sees(ANN, snapshot, {"*": shown, "context.b": hidden})
    assert seen == {"value": "deal", "status": "active", "context": {"a": 1}, "output": 3}


def test_an_exact_key_goes_before_any() -> None:  # [VIEW11]
    data = {"seats": {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 4}}}
    table = {"context.seats.*": shown, "context.seats.*.x": hidden, "context.seats.b.x": shown}
    assert context(ANN, data, table) == {"seats": {"a": {"y": 2}, "b": {"x": 3, "y": 4}}}
    table = {"context.seats.*": hidden, "context.seats.b.y": shown}
    assert context(ANN, data, table) == {"seats": {"b": {"y": 4}}}
    table = {"context.*.b.x": shown, "context.seats.*.x": hidden}
    assert context(ANN, data, table) is None


def test_several_paths_in_a_row() -> None:
    seen = sees(ANN, Snapshot({"a": 1, "b": 2}), {"value  context.a": shown})
    assert seen == {"value": "deal", "context": {"a": 1}}


def test_own_is_only_for_whom_it_belongs_to() -> None:  # [VIEW11]
    data = {"hands": HANDS}
    table: dict[str, Any] = {"context.hands.*": own}
    assert context(ANN, data, table) == {"hands": {"ann": [1, 2]}}
    assert context(EVE, data, table) is None
    table = {"context.hands.*": own | count}
    assert context(ANN, data, table) == {"hands": {"ann": [1, 2], "bob": 3}}
    assert context(EVE, data, table) == {"hands": {"ann": 2, "bob": 3}}


def test_own_goes_by_a_field_of_the_item() -> None:  # [VIEW11]
    data = {"cards": [{"of": "ann", "n": 1}, {"of": "bob", "n": 2}, {"of": None, "n": 3}, 4]}
    assert context(BOB, data, {"context.cards.*": own("of")}) == {"cards": [{"of": "bob", "n": 2}]}
    table = {"context.cards.*.n": own("of"), "context.cards.*.of": shown}
    assert context(BOB, data, table)["cards"] == [
        {"of": "ann"},
        {"of": "bob", "n": 2},
        {"of": None},
    ]
    nobody: Any = {"me": lambda snapshot, viewer: None}
    assert context(BOB, data, {"context.cards.*": own("of")}, **nobody) is None
    assert context(ANN, {"letter": {"to": "ann"}}, {"context.letter": own("to")}) == {
        "letter": {"to": "ann"}
    }


def test_ids_of_another_type_are_others() -> None:
    seats: Any = {"me": lambda snapshot, viewer: 1}
    data = {"cards": [{"of": True}, {"of": "1"}, {"of": 1.0}, {"of": 1}]}
    assert (
        repr(context(ANN, data, {"context.cards.*": own("of")}, **seats))
        == "{'cards': [{'of': 1}]}"
    )


def test_an_own_part_below_its_owner() -> None:  # [VIEW11]
    data = {"players": {"ann": {"name": "A", "hand": [1]}, "bob": {"name": "B", "hand": [2]}}}
    table = {"context.players.*.name": shown, "context.players.*.hand": own | count}
    assert context(ANN, data, table) == {
        "players": {"ann": {"name": "A", "hand": [1]}, "bob": {"name": "B", "hand": 1}}
    }


def test_team_is_for_all_of_it() -> None:  # [VIEW11]
    data = {"plans": {"red": "left", "blue": "right"}, "ships": [{"side": "red"}, {"side": "blue"}]}
    table = {"context.plans.*": team, "context.ships.*": team("side") | when("over")}
    sides: Any = {"team": lambda snapshot, viewer: {"ann": "red"}.get(viewer.id)}
    assert context(ANN, data, table, **sides) == {
        "plans": {"red": "left"},
        "ships": [{"side": "red"}],
    }
    assert context(BOB, data, table, **sides) is None


def test_roles() -> None:  # [VIEW11]
    data = {"notes": "n", "chat": "c"}
    table = {
        "context.notes": role("dealer", "judge"),
        "context.chat": hidden & role("spectator") | shown,
    }
    assert context(ANN, data, table) == {"chat": "c"}
    assert context(EVE, data, table) is None
    assert context(Viewer("zoe", "judge"), data, table) == {"notes": "n", "chat": "c"}


@pytest.mark.parametrize(
    "rule",
    [
        when("showdown.open"),
        when("nowhere", "showdown"),
        when(tag="loud"),
        when(lambda snapshot: snapshot.context["n"] > 1),
    ],
)
def test_what_is_revealed_when_it_is_time(rule: Any) -> None:  # [VIEW11]
    table = {"context.hands.*": own | rule | count}
    before = Snapshot({"n": 1, "hands": HANDS})
    after = Snapshot({"n": 2, "hands": HANDS}, {"showdown": "open"}, tags=frozenset(["loud"]))
    assert sees(ANN, before, table)["context"]["hands"] == {"ann": [1, 2], "bob": 3}
    assert sees(ANN, after, table)["context"]["hands"] == HANDS


def test_both_conditions_at_once() -> None:
    table = {"context.hands.*": own & when("showdown")}
    assert context(ANN, {"hands": HANDS}, table) is None
    assert sees(ANN, Snapshot({"hands": HANDS}, "showdown"), table)["context"] == {
        "hands": {"ann": [1, 2]}
    }


def test_an_item_that_lies_open() -> None:  # [VIEW11]
    data = {"cards": [{"up": True, "n": 1}, {"up": False, "n": 2}, {"n": 3}]}
    assert context(ANN, data, {"context.cards.*": when(field="up")}) == {
        "cards": [{"up": True, "n": 1}]
    }


def test_counting() -> None:  # [VIEW11]
    data = {"deck": [1, 2], "bag": {"a": 1}, "none": None, "word": "secret", "number": 7}
    counted = {"deck": 2, "bag": 1, "word": 1, "number": 1}
    assert context(ANN, data, {"context.*": count}) == counted


def test_a_container_with_nothing_to_see_in_it_is_not_there() -> None:  # [VIEW11]
    table = {"context.hands.*": own, "context.open": shown, "context.open.x": hidden}
    assert context(EVE, {"hands": HANDS}, table) is None
    assert context(EVE, {"hands": {}}, table) is None
    assert context(EVE, {"hands": 3}, table) is None
    assert context(EVE, {"open": {"x": 1}}, table) == {"open": {}}


def test_hidden_items_of_an_array_leave_no_gap() -> None:  # [VIEW11]
    assert context(ANN, {"a": [[1], [2], [3]]}, {"context.a": shown, "context.a.1": hidden}) == {
        "a": [[1], [3]]
    }


# ------------------------------------------------------------------ value, tags, children, error

REGIONS = {"table": {"play": "betting"}, "dealer": {"plan": {"cheat": {}}}}


def test_a_hidden_region_of_the_value() -> None:  # [VIEW11]
    snapshot = Snapshot(value=REGIONS)
    assert sees(ANN, snapshot, {"value": shown}) == {"value": REGIONS}
    assert sees(ANN, snapshot, {"value": shown, "value.dealer": hidden})["value"] == {
        "table": {"play": "betting"}
    }
    assert sees(ANN, snapshot, {"value.dealer.plan": shown})["value"] == {
        "dealer": {"plan": {"cheat": {}}}
    }
    assert sees(ANN, snapshot, {"value": shown, "value.*.*": hidden})["value"] == {
        "table": {},
        "dealer": {},
    }
    assert sees(
        ANN, Snapshot(value={"game": "night"}), {"value": shown, "value.game.*": hidden}
    ) == {"value": "game"}
    assert sees(ANN, Snapshot(value={"game": "night"}), {"value.game.day": shown}) == {}
    assert sees(ANN, Snapshot(value="deal"), {"value.deal": shown}) == {"value": "deal"}
    assert sees(EVE, snapshot, {"value.dealer": role("dealer"), "value.table": shown})["value"] == {
        "table": {"play": "betting"}
    }


def test_tags_one_by_one() -> None:  # [VIEW11]
    snapshot = Snapshot(tags=frozenset(["loud", "b", "a"]))
    assert sees(ANN, snapshot, {"tags": shown}) == {"tags": ["a", "b", "loud"]}
    assert sees(ANN, snapshot, {"tags": shown, "tags.loud": hidden}) == {"tags": ["a", "b"]}
    assert sees(ANN, snapshot, {"tags.loud": shown}) == {"tags": ["loud"]}
    assert sees(ANN, snapshot, {"tags.quiet": shown}) == {}


def test_children() -> None:  # [VIEW11]
    grandchild = Ref(Snapshot({"z": 1}))
    inside = Snapshot({"name": "A", "hand": [1, 2]}, "idle", children={"deep": grandchild})
    snapshot = Snapshot(children={"ann": Ref(inside), "load": Ref(Snapshot({"name": "L"}, None))})
    assert sees(ANN, snapshot, {"children.*.context.name": shown}) == {
        "children": {"ann": {"context": {"name": "A"}}, "load": {"context": {"name": "L"}}}
    }
    whole = sees(ANN, snapshot, {"children.ann": shown})["children"]
    assert whole == {
        "ann": {
            "value": "idle",
            "status": "active",
            "context": {"name": "A", "hand": [1, 2]},
            "children": {"deep": {"value": "deal", "status": "active", "context": {"z": 1}}},
        }
    }
    table = {
        "children.*": own,
        "children.*.context.hand": own | count,
        "children.*.children": hidden,
    }
    assert sees(ANN, snapshot, table)["children"]["ann"]["context"] == {"name": "A", "hand": [1, 2]}
    assert sees(BOB, snapshot, table)["children"] == {"ann": {"context": {"hand": 2}}}
    assert sees(BOB, snapshot, {"children.*.children.*.context.z": shown})["children"] == {
        "ann": {"children": {"deep": {"context": {"z": 1}}}}
    }
    named = {"children.*.value": own("name")}
    assert sees(Viewer("A"), snapshot, named) == {"children": {"ann": {"value": "idle"}}}


def test_an_error_by_name_and_message_only() -> None:
    snapshot = Snapshot(error=ValueError("no luck"), status="error")
    assert sees(ANN, snapshot, {"status": shown}) == {"status": "error"}
    assert sees(ANN, snapshot, {"error": shown}) == {
        "error": {"name": "ValueError", "message": "no luck"}
    }


# ------------------------------------------------------------------ view keys

GAME = {
    "value": shown,
    "context.deck": count,
    "context.hands.*": when("showdown") | own | count,
    "context.notes": role("dealer"),
    "context.plans.*": team & when("plan"),
}
SIDES: Any = {"team": lambda snapshot, viewer: {"ann": "red", "bob": "red"}.get(viewer.id)}


def keys(snapshot: Snapshot, *viewers: Viewer) -> list[Any]:
    made = lens(GAME, **SIDES)
    return [made.key(snapshot, viewer) for viewer in viewers]


def test_those_who_see_the_same_share_a_key() -> None:  # [VIEW12]
    data = {"hands": HANDS, "deck": [1], "plans": {"red": 1}}
    zoe, dealer = Viewer("zoe", "spectator"), Viewer("dan", "dealer")
    ann, bob, eve, other, dan = keys(Snapshot(data), ANN, BOB, EVE, zoe, dealer)
    assert len({ann, bob, eve, dan}) == 4
    assert eve == other == (None, None, None)
    assert dan == ("dealer", None, None)
    ann, bob, eve = keys(Snapshot(data, "showdown"), ANN, BOB, EVE)
    assert ann == bob == eve
    ann, bob, eve = keys(Snapshot({**data, "hands": {}}, "plan"), ANN, BOB, EVE)
    assert ann == bob == (None, "red", None)
    assert eve == (None, None, None)


def test_a_key_asks_for_what_can_not_be_known() -> None:  # [VIEW12]
    """Where it is hidden whether a condition holds, the key mayn't tell."""
    table = {"context.hands.*": own & when("night")}
    day, night = Snapshot({"hands": {}}, "day"), Snapshot({"hands": {}}, "night")
    secret, told = lens(table), lens({"value": shown, **table})
    assert secret.key(day, ANN) == secret.key(night, ANN) == (None, None, "ann")
    assert told.key(day, ANN) == told.key(night, ANN) == (None, None, None)
    assert told.key(Snapshot({"hands": HANDS}, "night"), ANN) == (None, None, "ann")
    guarded = lens({"context.hands.*": hidden & when("night") | own})
    assert guarded.key(day, ANN) == guarded.key(night, ANN) == (None, None, "ann")
    one, two = Snapshot({"hands": {}, "n": 1}), Snapshot({"hands": {}, "n": 2}, tags=frozenset("t"))
    for secretly in (when(tag="t"), when(lambda snapshot: snapshot.context["n"] > 1)):
        look = lens({"value": shown, "context.hands.*": own & secretly})
        assert look.key(one, ANN) == look.key(two, ANN) == (None, None, "ann")
    flagged = lens({"context.hands.*": own & when(field="up")})
    assert flagged.key(day, ANN) == (None, None, "ann")
    roles = lens({"context.a": role("dealer") & when("night")})
    assert roles.key(day, Viewer("dan", "dealer")) == roles.key(night, Viewer("dan", "dealer"))


def test_a_child_of_ones_own_makes_a_key_of_ones_own() -> None:  # [VIEW12]
    snapshot = Snapshot(children={"ann": Ref(Snapshot({"of": "bob"}))})
    assert lens({"children.*": own}).key(snapshot, ANN)[2] == "ann"
    assert lens({"children.*": own}).key(snapshot, BOB)[2] is None
    assert lens({"children.*.context": own("of")}).key(snapshot, BOB)[2] == "bob"
    empty = Snapshot(children={"ann": Ref(Snapshot({}))})
    assert lens({"children.*.context": own}).key(empty, ANN)[2] is None, "there is nothing to see"
    inside = Snapshot(children={"x": Ref(Snapshot({"hands": {"bob": [1]}}))})
    assert lens({"children.x.context.hands.*": own}).key(inside, BOB)[2] == "bob"
    assert lens({"children.y.context.hands.*": own}).key(inside, BOB)[2] is None


PART = st.recursive(
    st.integers(0, 3), lambda inner: st.dictionaries(st.sampled_from("abm"), inner), max_leaves=8
)
STATES = st.sampled_from(["x", "y"])
PATHS = st.lists(st.sampled_from("abm*"), min_size=1, max_size=3).map(".".join)
CONDITIONS = [
    own,
    team,
    role("r"),
    when("x"),
    when(tag="x"),
    when(lambda snapshot: snapshot.value == "y"),
]
SIMPLE = st.sampled_from([shown, hidden, *CONDITIONS])
RULES = st.one_of(
    SIMPLE,
    st.builds(lambda one, two: one | two, SIMPLE, SIMPLE),
    st.builds(
        lambda one, two: one & two, st.sampled_from([own, hidden]), st.sampled_from(CONDITIONS[2:])
    ),
    st.builds(
        lambda one, two, three: one & two | three,
        st.just(own),
        st.sampled_from(CONDITIONS[2:]),
        SIMPLE,
    ),
)
ME = Viewer("m", "r")
TABLES = st.dictionaries(PATHS, RULES, min_size=1, max_size=5)


def made(rows: dict[str, Any], **more: Any) -> tuple[dict[str, Any], Any] | None:
    """A table of these rows, and its lens; own needs a `*`."""
    table = {}
    for path, rule in rows.items():
        try:
            policy({f"context.{path}": rule}, team=lambda snapshot, viewer: "a")
        except UsageError:
            continue
        table[path] = rule
    whole = {**{f"context.{path}": rule for path, rule in table.items()}, **more}
    return (table, lens(whole, team=lambda snapshot, viewer: "a")) if whole else None


def granted(table: dict[str, Any], path: tuple[str, ...], state: str) -> bool:
    """What the longest row that fits the path says to ME; of equally long ones, the one that is
    exact first."""
    rows = [
        row.split(".")
        for row in table
        if len(row.split(".")) <= len(path)
        and all(part in ("*", key) for part, key in zip(row.split("."), path, strict=False))
    ]
    if not rows:
        return False
    row = min(rows, key=lambda row: (-len(row), [part == "*" for part in row]))
    at = max((i for i, part in enumerate(row) if part == "*"), default=0)
    for alternative in table[".".join(row)].alternatives:
        for condition in alternative.conditions:
            match type(condition).__name__:
                case "Belongs":
                    holds = path[at] == {"own": "m", "team": "a"}[condition.to]
                case "InState" if condition.test is not None:
                    holds = state == "y"
                case "InState":
                    holds = state == "x"
                case _:
                    holds = True
            if not holds:
                break
        else:
            return bool(alternative.grant == "shown")
    return False


def leaves(data: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    if not isinstance(data, dict):
        return {path: data}
    found: dict[tuple[str, ...], int] = {}
    for key, part in data.items():
        found |= leaves(part, (*path, key))
    return found


def snap(data: Any, state: str) -> Snapshot:
    return Snapshot(data, state, tags=frozenset([state]))


DATA = st.dictionaries(st.sampled_from("abm"), PART)


@settings(max_examples=200, deadline=None)
@given(TABLES, DATA, STATES)
def test_a_leaf_is_seen_exactly_when_its_row_says_so(  # [VIEW11]
    rows: dict[str, Any], data: Any, state: str
) -> None:
    if (found := made(rows)) is None:
        return
    table, look = found
    seen = leaves(look(snap(data, state), ME).get("context", {}))
    seen.pop((), None)
    expected = {
        path: leaf for path, leaf in leaves(data).items() if path and granted(table, path, state)
    }
    assert seen == expected


def without(data: Any, hidden_paths: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> Any:
    """The data with other values, or none, where nobody sees them."""
    if not isinstance(data, dict):
        return data
    return {
        key: without(part, hidden_paths, (*path, key))
        for key, part in data.items()
        if (*path, key) not in hidden_paths
    }


@settings(max_examples=60, deadline=None)
@given(TABLES, DATA, STATES)
def test_nothing_seen_depends_on_what_is_hidden(  # [VIEW4]
    rows: dict[str, Any], data: Any, state: str
) -> None:
    if (found := made(rows)) is None:
        return
    table, look = found
    secret = {path for path in leaves(data) if path and not granted(table, path, state)}
    other = without(data, secret)
    one, two = look(snap(data, state), ME), look(snap(other, state), ME)
    assert json.dumps(one) == json.dumps(two)


@settings(max_examples=60, deadline=None)
@given(TABLES, DATA, DATA, STATES, STATES, st.booleans())
def test_a_key_changes_only_with_what_is_seen(  # [VIEW4] [VIEW12]
    rows: dict[str, Any], data: Any, other: Any, one: str, two: str, open: bool
) -> None:
    if (found := made(rows, **({"value tags": shown} if open else {}))) is None:
        return
    _, look = found
    first, second = snap(data, one), snap({**data, **other}, two)
    if look(first, ME) == look(second, ME):
        assert look.key(first, ME) == look.key(second, ME)


@settings(max_examples=60, deadline=None)
@given(TABLES, DATA, STATES)
def test_equal_keys_are_equal_views(
    rows: dict[str, Any], data: Any, state: str
) -> None:  # [VIEW12]
    """A look through another viewer's eyes, and with no memory of any, shows the same."""
    if (found := made(rows)) is None:
        return
    look = found[1]
    snapshot = snap(data, state)
    by_key: dict[Any, Any] = {}
    for viewer in (ME, Viewer("a", "r"), Viewer("z"), Viewer("m"), Viewer("b", "other")):
        view = look(snapshot, viewer)
        fresh = made(rows)
        assert fresh is not None
        assert fresh[1](snapshot, viewer) == view
        assert by_key.setdefault(look.key(snapshot, viewer), view) == view


# ------------------------------------------------------------------ identity


@settings(max_examples=60, deadline=None)
@given(TABLES, DATA, DATA, STATES, STATES)
def test_what_did_not_change_is_the_same_object(
    rows: dict[str, Any], data: Any, other: Any, one: str, two: str
) -> None:
    """Memory changes identity only: a lens with a past shows what a new one shows."""
    if (found := made(rows)) is None:
        return
    look = found[1]
    for snapshot in (snap(data, one), snap({**data, **other}, two), snap(data, one)):
        again = look(snapshot, ME)
        fresh = made(rows)
        assert fresh is not None
        assert again == fresh[1](snapshot, ME)
        assert look(replace(snapshot), ME) is again or again == {}


def test_a_change_of_one_among_many_leaves_the_others() -> None:
    look = lens({"context.players.*.hand": own | count, "context.players.*.name": shown})
    players = {f"p{n}": {"name": f"n{n}", "hand": list(range(300))} for n in range(100)}
    before = look(Snapshot({"players": players}), Viewer("p1"))
    changed = {**players, "p7": {"name": "new", "hand": players["p7"]["hand"]}}
    after = look(Snapshot({"players": changed}, "other"), Viewer("p1"))
    assert after is not before
    assert [
        k
        for k, v in after["context"]["players"].items()
        if v is not before["context"]["players"][k]
    ] == ["p7"]
    assert diff(before, after) == [[["context", "players", "p7", "name"], "new"]]
    hidden_only = {**changed, "p7": {**changed["p7"], "hand": [9] * 300, "secret": 1}}
    assert look(Snapshot({"players": hidden_only}, "other"), Viewer("p1")) is after


def test_a_part_that_changes_hands_is_looked_at_again() -> None:
    look = lens({"context.cards.*.face.n": own("of")})
    face = {"n": 1}
    assert look(Snapshot({"cards": {"c": {"of": "ann", "face": face}}}), ANN)["context"] == {
        "cards": {"c": {"face": {"n": 1}}}
    }
    assert look(Snapshot({"cards": {"c": {"of": "bob", "face": face}}}), ANN) == {}


def test_one_object_in_two_hands_is_two_parts() -> None:
    index: Any = {"me": lambda snapshot, viewer: 1}
    face = {"n": {"m": 1}}
    look = lens({"context.hands.*.n.m": own}, **index)
    for _ in range(2):
        seen = look(Snapshot({"hands": [face, face]}), ANN)
        assert seen["context"] == {"hands": [{"n": {"m": 1}}]}


def test_the_same_data_is_looked_at_again_when_its_time_comes() -> None:
    data = {"hands": HANDS}
    look = lens({"context.hands.*": when("showdown") | count})
    assert look(Snapshot(data), EVE)["context"] == {"hands": {"ann": 2, "bob": 3}}
    assert look(Snapshot(data, "showdown"), EVE)["context"] == data
    assert look(Snapshot(data), EVE)["context"] == {"hands": {"ann": 2, "bob": 3}}


def test_the_same_part_is_looked_at_again_when_it_is_turned() -> None:
    face = {"n": 1, "mark": 2}
    look = lens({"context.cards.*.face": when(field="up"), "context.cards.*.face.mark": shown})
    for up, seen in ((True, face), (False, {"mark": 2}), (True, face)):
        turned = look(Snapshot({"cards": {"c": {"up": up, "face": face}}}), EVE)
        assert turned["context"]["cards"]["c"]["face"] == seen


def test_what_is_inside_follows_what_is_around_it() -> None:
    face = {"n": 1, "mark": 2}
    look = lens({"context.cards.*": when(field="up"), "context.cards.*.face.mark": hidden})
    up = {"context": {"cards": {"c": {"up": True, "face": {"n": 1}}}}}
    assert look(Snapshot({"cards": {"c": {"up": True, "face": face}}}), EVE) == up
    assert look(Snapshot({"cards": {"c": {"up": False, "face": face}}}), EVE) == {}
    assert look(Snapshot({"cards": {"c": {"up": True, "face": face}}}), EVE) == up


def test_a_list_that_loses_its_head_keeps_the_others() -> None:
    look = lens({"context.log.*.text": shown})
    log = [{"text": f"t{n}", "by": n} for n in range(5)]
    before = look(Snapshot({"log": log}), EVE)["context"]["log"]
    after = look(Snapshot({"log": log[1:]}), EVE)["context"]["log"]
    assert [one is two for one, two in zip(before[1:], after, strict=True)] == [True] * 4


def test_children_keep_their_identity() -> None:
    look = lens({"children.*.context.name": shown})
    one, two = Snapshot({"name": 1}), Snapshot({"name": 2})
    before = look(Snapshot(children={"a": Ref(one), "b": Ref(two)}), ANN)["children"]
    after = look(Snapshot(children={"a": Ref(one), "b": Ref(Snapshot({"name": 3}))}), ANN)[
        "children"
    ]
    assert after["a"] is before["a"]
    assert after["b"] == {"context": {"name": 3}}


def test_a_grandchild_that_moves_is_seen_to_move() -> None:
    look = lens({"children.*.children": shown})
    deep = Ref(Snapshot({"n": 1}))
    child = Snapshot(children={"deep": deep})
    for n in (1, 2):
        deep.now = Snapshot({"n": n})
        seen = look(Snapshot(children={"a": Ref(child)}), ANN)["children"]["a"]["children"]
        assert seen["deep"]["context"] == {"n": n}


def test_memory_is_bounded_and_a_rooms_own() -> None:
    look, other = lens({"context.hands.*.x": own}), lens({"context.hands.*.x": own})
    for n in range(KEYS + 5):
        look(Snapshot({"hands": {f"v{n}": {"x": n}}}), Viewer(f"v{n}"))
    assert len(look._memos) == KEYS
    assert not other._memos


# ------------------------------------------------------------------ tables that can't be

MACHINE = create_machine(
    {
        "id": "m",
        "initial": "day",
        "context": {"hands": {}, "deck": []},
        "states": {
            "day": {
                "tags": ["light"],
                "on": {
                    "sleep": "night",
                    "draw": {"actions": assign({"deck": lambda args, params: [1]})},
                },
            },
            "night": {"initial": "deep", "states": {"deep": {}}},
        },
    }
)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "a policy is a table"),
        ({"": shown}, "is no path"),
        ({1: shown}, "is no path"),
        ({"hands": shown}, "'hands': a view has no 'hands': it begins with one of value, status"),
        ({"context..a": shown}, "has an empty part"),
        ({"context.a": "shown"}, "'context.a': 'shown' is no rule; take shown, hidden, own"),
        ({"context.a": team}, r"'context.a': team goes by the key at a `\*`"),
        ({"context.a": own}, "'context.a': own goes by the key"),
        ({"context.a context.a": shown}, "stands in the table twice"),
        ({"status.x": shown}, "status has nothing below it"),
        ({"error.message": shown}, "error has nothing below it"),
        ({"tags.a.b": shown}, "tags has nothing below it"),
        ({"children.a.hand": shown}, "a view has no 'hand'"),
        ({"*.a": shown}, r"a view has no '\*'"),
        ({"value": count}, "only what is within context or output can be counted"),
        ({"context": count}, "only what is within context or output can be counted"),
        ({"children.a": shown | count}, "only what is within"),
        ({"value.*": own}, "belongs to nobody"),
        ({"tags.*": team("x")}, "belongs to nobody"),
        (
            {"context.a": count, "context.a.b": shown},
            "'context.a': of what is counted nothing else",
        ),
        (
            {"context.*": count, "context.a.b": shown},
            "'context.a': of what is counted nothing else",
        ),
    ],
)
def test_a_table_that_can_not_be_is_refused(table: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        policy(table, team=lambda snapshot, viewer: None)


def test_team_needs_to_know_who_is_in_which() -> None:
    with pytest.raises(UsageError, match="needs policy"):
        policy({"context.a.*": team})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: own & team, "can't be joined"),
        (lambda: count & hidden, "can't be both"),
        (
            lambda: own | True,  # type: ignore[operator]
            r"what stands beside \| is True",
        ),
        (
            lambda: own & "x",  # type: ignore[operator]
            "what stands beside & is 'x'",
        ),
        (lambda: own(""), r'own\("owner"\) takes'),
        (lambda: role(), "role takes names"),
        (lambda: when(), "when takes states"),
        (lambda: when("a", tag="b"), "when takes states"),
        (lambda: when(tag=""), "when takes states"),
        (lambda: when("a", lambda snapshot: True), "when takes states"),
    ],
)
def test_a_rule_that_can_not_be_is_refused(make: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"context.deck": when("dusk")}, r"Night: when\('dusk'\): the machine has no such state"),
        ({"context.deck": when("night.light")}, "no such state"),
        ({"context.deck": when("nihgt")}, "no such state; did you mean 'night'"),
        ({"context.deck": when(tag="dark")}, r"tags are \['light'\]"),
        ({"value.dusk": shown}, "'value.dusk': the machine has no such state"),
        ({"tags.dark": shown}, r"tags are \['light'\]"),
        (
            {"context.decks": hidden},
            r"'context.decks': the machine's context begins with \['deck', 'hands'\]",
        ),
    ],
)
def test_what_the_machine_has_not_got_is_refused(table: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        type("Night", (Room,), {"machine": MACHINE, "view": policy(table)})


def test_what_the_machine_has_is_taken() -> None:
    table = {"value.*.deep tags.light context.hands.*": when("night.deep") | when(tag="light")}
    assert type("Night", (Room,), {"machine": MACHINE, "view": policy(table)})


def test_what_goes_round_a_policy_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Keyed\.view_key: a policy works out its own"):
        type("Keyed", (Room,), {"view": policy({"value": shown}), "view_key": lambda *args: 1})
    with pytest.raises(UsageError, match=r"Timed\.show_timers tells everybody"):
        type("Timed", (Room,), {"view": policy({"value.day": shown}), "show_timers": True})
    assert type("Timed", (Room,), {"view": policy({"value": shown}), "show_timers": True})


# ------------------------------------------------------------------ in a room


class Night(Room):
    machine = MACHINE
    view = policy({"value": shown, "context.hands.*": own, "context.deck": count})


def root() -> Any:
    return System(MACHINE).initial(now=0, seed=1).snapshot.root


def test_a_room_has_a_view_and_key_of_its_policy() -> None:  # [VIEW12]
    room = Night("night", "x")
    assert isinstance(Night.view, Policy)
    assert room.view is room.view
    assert room.view is not Night("night", "y").view
    assert room.view(root(), ANN) == {"value": "day", "context": {"deck": 0}}
    assert room.view_key(root(), ANN) == (None, None, None)
    assert Night.view_key is not Room.view_key


def test_can_makes_a_key_per_viewer() -> None:
    class Offering(Night):
        show_can = ("sleep",)

    assert Offering("o", "x").view_key(root(), ANN) == ("ann", (None, None, None))


def test_a_kind_may_take_another_view() -> None:
    class Open(Night):
        view = everything

    assert Open.view_key is Room.view_key
    assert Open("o", "x").view(root(), ANN)["value"] == "day"
