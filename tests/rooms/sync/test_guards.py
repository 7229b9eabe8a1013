"""Guards of what is said and shown, each switched off: the test of its rule sees it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from rooms.sync import codec, diff, lens, messages, party
from rooms.sync.backlog import Backlog, Budget
from rooms.sync.conversation import Conversation
from rooms.sync.fanout import Fanout
from rooms.sync.watch import Watch
from tests.guards import Guards
from tests.rooms.sync import test_backlog as backlog
from tests.rooms.sync import test_codec as codecs
from tests.rooms.sync import test_conversation as conversation
from tests.rooms.sync import test_diff as patches
from tests.rooms.sync import test_fanout as fanout
from tests.rooms.sync import test_messages as door
from tests.rooms.sync import test_party as parties
from tests.rooms.sync import test_policy as policy
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guards import Make

GUARDS = Guards()


# -------------------------------------------------------------------------------- numbers


@GUARDS.seen_by(conversation.test_a_number_that_is_being_handled_is_not_taken_again)
def taken_again_while_handled(swap: Any) -> None:
    """A number whose event is being handled is taken again."""
    edited(swap, Conversation, "_numbered", "if seq <= self.received:", "if seq <= self.settled:")


@GUARDS.seen_by(conversation.test_a_number_that_is_settled_is_answered_again)
def settled_in_silence(swap: Any) -> None:
    """A number that was settled before isn't answered again."""
    edited(
        swap,
        Conversation,
        "_numbered",
        "Repeat(seq) if seq <= self.settled else _PENDING",
        "_PENDING",
    )


@GUARDS.seen_by(conversation.test_a_gap_is_asked_for_once_until_it_is_filled)
def gaps_taken(swap: Any) -> None:
    """A number beyond the next one is taken."""
    edited(swap, Conversation, "_numbered", "if seq > self.received + 1:", "if False:")


@GUARDS.seen_by(conversation.test_a_gap_is_asked_for_once_until_it_is_filled)
def gaps_asked_for_each_time(swap: Any) -> None:
    """A gap is asked for with each number that comes beyond it."""
    edited(swap, Conversation, "_numbered", "if self._asked:", "if False:")


@GUARDS.seen_by(conversation.test_a_new_connection_is_asked_again)
def gaps_asked_for_once_for_ever(swap: Any) -> None:
    """A gap that the last connection was asked for isn't asked of the next."""
    edited(swap, Conversation, "resume", "self._asked = False", "told")


@GUARDS.seen_by(conversation.test_a_claim_to_have_the_outcome_of_this_very_event_moves_nothing)
def acknowledged_before_it_is_said(swap: Any) -> None:
    """An event that says that it is acknowledged is over."""
    edited(swap, Conversation, "_numbered", "self.received < acked < seq", "self.received < acked")


@GUARDS.seen_by(conversation.test_a_client_that_may_have_been_forgotten_is_never_taken)
def forgotten_taken_again(swap: Any) -> None:
    """Who may have been forgotten is taken for somebody new."""
    edited(swap, Conversation, "_numbered", "if self.stale:", "if False:")


@GUARDS.seen_by(conversation.test_an_event_that_the_door_refused_takes_its_number)
def refused_without_its_number(swap: Any) -> None:
    """An event that the door refused leaves its number to the next."""
    edited(swap, Conversation, "_numbered", "self.received = seq",
           'self.received = seq - ("refused" in message)')  # fmt: skip


# -------------------------------------------------------------------------------- the door


def refused(message: dict[str, Any], code: str) -> Callable[[Make], Make]:
    """By the test that sees that a message isn't refused."""
    return GUARDS.seen_by(door.test_what_is_refused_is_said_by_a_word, message=message, code=code)


@refused({"type": "xstate.init"}, "reserved")
def reserved_types_taken(swap: Any) -> None:
    """Anybody may say what only the server says."""
    edited(swap, messages, "reserved", "type.startswith(_NOT_FOR_CLIENTS) or ", "")


@refused({"type": "*"}, "reserved")
def all_types_at_once(swap: Any) -> None:
    """An event may be of all types."""
    edited(swap, messages, "reserved", ' or type == "*"', "")


@refused({"type": "a", "sender": "bob"}, "sender")
def senders_believed(swap: Any) -> None:
    """Who says something says, too, who says it."""
    edited(swap, messages, "check_event", 'if "sender" in event:', "if False:")


@refused({"type": "a", "x": door.nested(messages.MAX_DEPTH)}, "too_deep")
def nested_without_end(swap: Any) -> None:
    """Data may be as deep as it likes."""
    edited(swap, messages, "check_data", "if depth > MAX_DEPTH:", "if False:")


@refused({"type": "a", "x": [[0] * 600, [0] * 600]}, "too_many_keys")
def keys_without_number(swap: Any) -> None:
    """Each part of a message may have as many keys as all of it."""
    edited(swap, messages, "check_data", "keys += len(value)", "keys = len(value)")


@refused({"type": "a", "x": {"__proto__": 1}}, "forbidden_key")
def prototypes_taken(swap: Any) -> None:
    """A key may be what JavaScript takes for an object's prototype."""
    edited(swap, messages, "check_data", "if key in FORBIDDEN_KEYS:", "if False:")


@refused({"type": "a", "x": [float("inf")]}, "bad_number")
def infinities_taken(swap: Any) -> None:
    """A number may be infinite."""
    edited(swap, messages, "check_data", "if not math.isfinite(value):", "if False:")


@refused({"type": "a", "x": messages.MAX_SAFE_INTEGER + 1}, "bad_number")
def unsafe_integers_taken(swap: Any) -> None:
    """An integer may be one that a browser reads as another."""
    edited(swap, messages, "check_data", "if abs(value) > MAX_SAFE_INTEGER:", "if False:")


def no_message(data: Any) -> Callable[[Make], Make]:
    """By the test that sees that what is no message doesn't close."""
    return GUARDS.seen_by(door.test_what_is_no_message_closes, data=data)


def _read(swap: Any, reason: str) -> None:
    old, new = f'Closing(CloseCode.BAD_MESSAGE, "{reason}")', f'BadMessage("bad", "{reason}")'
    edited(swap, messages, "read", old, new)
    swap(door, "read", messages.read)


@no_message([])
def arrays_stay(swap: Any) -> None:
    """Who sends what is no object may go on."""
    _read(swap, "a message is one JSON object")


@no_message({"type": 1})
def types_of_any_kind(swap: Any) -> None:
    """Who sends a message without a type may go on."""
    _read(swap, "a message has a string `type`")


def unparsed(name: str) -> Callable[[Make], Make]:
    """By the test that sees that something is parsed that isn't to be."""
    return GUARDS.seen_by(codecs.test_what_cant_be_parsed_closes, name=name)


def _decoded(swap: Any, old: str, new: str) -> None:
    edited(swap, codec, "decode", old, new)
    swap(codecs, "decode", codec.decode)


@unparsed("bytes")
def bytes_taken(swap: Any) -> None:
    """A message may hold what JSON has no word for."""
    _decoded(swap, "max_bin_len=0", "max_bin_len=99")


@unparsed("keys that are numbers")
def numbers_as_keys(swap: Any) -> None:
    """A key may be a number."""
    _decoded(swap, "strict_map_key=True", "strict_map_key=False")


@GUARDS.seen_by(codecs.test_a_promise_is_bounded_before_it_is_believed)
def promises_believed(swap: Any) -> None:
    """Room is made for whatever somebody says is coming."""
    _decoded(swap, "max_array_len=max_claim", "max_array_len=1 << 31")


@GUARDS.seen_by(
    door.test_a_numbered_message_keeps_its_number_when_its_event_is_refused,
    event={"type": "a", "sender": "bob"},
    code="sender",
)
def numbered_events_unchecked(swap: Any) -> None:
    """An event with a number may say what it likes."""
    edited(swap, messages, "_numbered", "check_event(event)", "event")


# -------------------------------------------------------------------------------- parties


@GUARDS.seen_by(codecs.test_a_dialect_has_no_words_for_the_wires_messages)
def everything_told(swap: Any) -> None:
    """A client of another dialect is told what it has no ear for."""
    edited(swap, codec, "encode", 'if codec != "msgpack":', "if False:")
    swap(codecs, "encode", codec.encode)


@GUARDS.seen_by(parties.test_tags_are_told_whole)
def tags_by_index(swap: Any) -> None:
    """Of tags it is told which one has changed."""
    edited(swap, party, "operations", 'if path[0] == "tags":', "if False:")


@GUARDS.seen_by(
    parties.test_a_patch_leads_from_one_view_to_the_next.hypothesis.inner_test,  # type: ignore[attr-defined]
    one={"status": "active", "tags": ["x"], "children": {"a": {}}},
    other={"status": "active"},
)
def fields_taken_away(swap: Any) -> None:
    """What a view doesn't show any more isn't there."""
    edited(swap, party, "operations", "len(path) == 1 and path[0] in _FIELDS", "False")


@GUARDS.seen_by(parties.test_an_item_of_an_array_is_replaced_in_place)
def items_added_in_place(swap: Any) -> None:
    """An item that has changed is there twice."""
    edited(swap, party, "operations", '"replace" if type(path[-1]) is int else ', "")


def said_at_parties(said: str) -> Callable[[Make], Make]:
    """By the test that sees that it isn't refused."""
    return GUARDS.seen_by(parties.test_what_is_refused, said=said)


@said_at_parties('{"type":"e","sender":"me"}')
def unchecked_at_parties(swap: Any) -> None:
    """What is refused on the wire is an event at `/parties`."""
    edited(swap, party, "read", "messages.check_event(said)", "said")


@said_at_parties('{"type":"party.sendTo","actorId":"p","event":{"type":"xstate.stop"}}')
def unchecked_for_children(swap: Any) -> None:
    """A child is sent what its parent isn't."""
    edited(swap, party, "read", "messages.check_event(event)", "event")


# -------------------------------------------------------------------------------- patches


def nonsense(ops: Any) -> Callable[[Make], Make]:
    """By the test that sees that operations aren't refused."""
    return GUARDS.seen_by(patches.test_nonsense_is_refused, ops=ops)


@nonsense([[["list", True], 1]])
def true_is_an_index(swap: Any) -> None:
    """What isn't a number counts as one where Python takes it for one."""
    edited(swap, diff, "_check_index", "type(key) is not int or ", "")


@nonsense([[["list", -1], 1]])
def counted_from_the_end(swap: Any) -> None:
    """An index may count from the end, as it does in Python alone."""
    edited(swap, diff, "_check_index", "0 <= key < len(parent)", "key < len(parent)")


@nonsense([[["list"], 0, 0, "ab"]])
def letters_are_items(swap: Any) -> None:
    """A text is put into an array as its letters."""
    edited(swap, diff, "_splice", " or type(items) is not list", "")


@GUARDS.seen_by(patches.test_what_no_operation_touches_keeps_its_identity)
def copied_wholly(swap: Any) -> None:
    """Whatever a patch leaves alone is another object afterwards."""

    def apply(view: Any, ops: Any, **more: Any) -> Any:
        return deepcopy(diff.apply(view, ops, **more))

    swap(patches, "apply", apply)


# -------------------------------------------------------------------------------- cursors


@GUARDS.seen_by(backlog.test_a_view_that_didnt_change_keeps_its_cursor)
def steps_of_nothing(swap: Any) -> None:
    """A view that didn't change has another cursor."""
    edited(swap, Backlog, "step", "if not ops:", "if False:")


@GUARDS.seen_by(backlog.test_steps_weigh_no_more_than_the_view)
def steps_without_weight(swap: Any) -> None:
    """Steps are kept that weigh more than the view."""
    edited(swap, Backlog, "weigh", "while total > most and self._steps:", "while False:")


@GUARDS.seen_by(backlog.test_those_used_longest_ago_give_up_their_steps_first)
def budget_without_end(swap: Any) -> None:
    """All view keys together keep as much as they like."""
    edited(swap, Budget, "use", "while self._total > self._most:", "while False:")


@GUARDS.seen_by(fanout.test_a_forgotten_view_key_begins_anew)
def cursors_counted_again(swap: Any) -> None:
    """A view key that was forgotten gives out the cursors that it had before."""
    edited(swap, Fanout, "_make", 'f"{self._nonce}/{self._made}"', 'f"{self._nonce}/{key!r}"')


@GUARDS.seen_by(fanout.test_cursors_of_two_view_keys_never_meet)
def cursors_of_all(swap: Any) -> None:
    """View keys give out the same cursors."""
    edited(swap, Fanout, "_make", 'f"{self._nonce}/{self._made}"', "self._nonce")


@GUARDS.seen_by(fanout.test_a_cursor_outlives_a_clean_sleep_if_the_view_does)
def saved_cursor_for_any_view(swap: Any) -> None:
    """A cursor from before a sleep is good whatever the view is now."""
    edited(swap, Fanout, "_make", "hash_saved != _hash(view)", "False")


@GUARDS.seen_by(fanout.test_what_is_remembered_is_bounded)
def keys_remembered_for_ever(swap: Any) -> None:
    """Every view key that there ever was is remembered."""
    edited(swap, Fanout, "_rest", "if len(self._unwatched) > UNWATCHED:", "if False:")


@GUARDS.seen_by(fanout.test_a_view_that_cant_be_encoded_is_nobodys_but_its_watchers_affair)
def unsent_steps_count(swap: Any) -> None:
    """A step that can't be sent counts as one that was."""
    edited(swap, Watch, "step", "backlog.back(before)", "backlog")


# -------------------------------------------------------------------------------- policies


@GUARDS.seen_by(policy.test_what_no_row_names_is_hidden)
def shown_by_default(swap: Any) -> None:
    """What no row names is shown."""
    edited(swap, lens.Lens, "__call__", '"hidden"', '"shown"')


@GUARDS.seen_by(policy.test_counting)
def texts_counted(swap: Any) -> None:
    """Of a text that is only counted it is told how long it is."""
    edited(swap, lens, "_count", "kind is dict or kind is list", "kind in (dict, list, str)")


@GUARDS.seen_by(policy.test_those_who_see_the_same_share_a_key)
def a_key_for_each(swap: Any) -> None:
    """Everybody has a view key of their own, whatever they see."""
    edited(swap, lens.Lens, "key", "if me is not None and not (", "if False and not (")


@GUARDS.seen_by(policy.test_a_key_asks_for_what_can_not_be_known)
def keys_that_tell(swap: Any) -> None:
    """A view key says whether something that is hidden belongs to its viewer."""
    edited(swap, lens.Lens, "key", "needs.own or self._has", "self._has")


@GUARDS.seen_by(policy.test_a_container_with_nothing_to_see_in_it_is_not_there)
def empty_ones_shown(swap: Any) -> None:
    """That something is there of which nothing is shown is shown."""
    edited(swap, lens._Look, "_keep", 'if not result and grant != "shown":', "if False:")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
