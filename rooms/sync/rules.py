"""The words of a policy: what is granted, to whom, and when (PURE).

`own | when("showdown") | count` is read from the left: the first that applies decides, and where
none does, nothing is seen. `&` asks for both: `role("dealer") & when(tag="night")`. Next:
`rooms/sync/policy.py` makes a table of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.sync.views import Seen

Grant = Literal["shown", "hidden", "count"]


@dataclass(frozen=True, slots=True)
class InState:
    """The machine is in one of these states, has one of these tags, or a function of the snapshot
    says yes."""

    states: tuple[str, ...] = ()
    tag: str | None = None
    test: Callable[[Seen], object] | None = None

    def holds(self, snapshot: Seen) -> bool:
        """Whether it is so now."""
        if self.test is not None:
            return bool(self.test(snapshot))
        if self.tag is not None:
            return snapshot.has_tag(self.tag)
        return any(map(snapshot.matches, self.states))


@dataclass(frozen=True, slots=True)
class HasRole:
    """The viewer has one of these roles."""

    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Belongs:
    """The item is the viewer's own, or their team's: by its key, or by one of its fields.

    The item is what stands at the last `*` of the row's path; without one, what is at its end.
    `depth` is where that is in the path, known when a table is made of it.
    """

    to: Literal["own", "team"]
    field: str | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class HasField:
    """A field of the item is true. The item and `depth` are as for `Belongs`."""

    field: str
    depth: int = 0


Condition = InState | HasRole | Belongs | HasField


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something is granted where all conditions hold."""

    grant: Grant
    conditions: tuple[Condition, ...] = ()

    def __and__(self, other: Alternative) -> Alternative:
        if self.grant == other.grant or other.grant == "shown":
            grant = self.grant
        elif self.grant == "shown":
            grant = other.grant
        else:
            raise UsageError(f"{self.grant} & {other.grant}: a part can't be both; take one")
        conditions = (*self.conditions, *other.conditions)
        if sum(isinstance(each, Belongs) for each in conditions) > 1:
            raise UsageError("own and team can't be joined by `&`: name the narrower one alone")
        return Alternative(grant, conditions)


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """What is granted of a part: the first alternative that applies, otherwise nothing."""

    alternatives: tuple[Alternative, ...]

    def __or__(self, other: Rule) -> Rule:
        return Rule((*self.alternatives, *_rule(other, "|").alternatives))

    def __and__(self, other: Rule) -> Rule:
        return Rule(
            tuple(one & two for one in self.alternatives for two in _rule(other, "&").alternatives)
        )

    def bound(self, depth: int) -> Rule:
        """The rule of a row whose item is at `depth` of its path."""
        return Rule(
            tuple(
                replace(
                    each,
                    conditions=tuple(
                        replace(c, depth=depth) if isinstance(c, (Belongs, HasField)) else c
                        for c in each.conditions
                    ),
                )
                for each in self.alternatives
            )
        )


@dataclass(frozen=True, slots=True, repr=False)
class Belonging(Rule):
    """`own` or `team`: by the item's key as it stands; called, by a field of the item."""

    def __call__(self, field: str) -> Rule:
        """Whose `field` says whom the item belongs to: `own("owner")`, `team("side")`."""
        (belongs,) = self.alternatives[0].conditions
        assert isinstance(belongs, Belongs)
        if not _named(field):
            raise UsageError(f'{belongs.to}("owner") takes the name of a field, not {field!r}')
        return Rule((Alternative("shown", (Belongs(belongs.to, field),)),))


shown: Final = Rule((Alternative("shown"),))
"""Everybody sees it."""

hidden: Final = Rule((Alternative("hidden"),))
"""Nobody sees it: for what stands below something shown, or before an alternative for others."""

count: Final = Rule((Alternative("count"),))
"""How many items there are, and nothing of them: of a text or number, that there is one."""

own: Final = Belonging((Alternative("shown", (Belongs("own"),)),))
"""Whom it belongs to: the key at the row's last `*` is theirs; `own("owner")`: that field is."""

team: Final = Belonging((Alternative("shown", (Belongs("team"),)),))
"""Whose team it belongs to: the key at the row's last `*` is their team; `team("side")`: that
field is."""


def role(*roles: str) -> Rule:
    """Who has one of these roles."""
    if not roles or not all(isinstance(each, str) and each for each in roles):
        raise UsageError(f'role takes names: role("dealer"), not role{roles!r}')
    return Rule((Alternative("shown", (HasRole(frozenset(roles)),)),))


def when(
    *states: str | Callable[[Seen], object], tag: str | None = None, field: str | None = None
) -> Rule:
    """While something is so: the machine is in one of `states` (`"game.recap"`), has the `tag`, a
    function of the snapshot says yes; or a `field` of the item is true (a card that lies open).

    Functions decide from the snapshot alone: who looks is for `role`, `own` and `team`.
    """
    if len(states) == 1 and callable(states[0]) and tag is None and field is None:
        return _while(InState(test=states[0]))
    if states and tag is None and field is None and all(_named(each) for each in states):
        return _while(InState(states=states))  # type: ignore[arg-type]
    if not states and field is None and _named(tag):
        return _while(InState(tag=tag))
    if not states and tag is None and _named(field):
        return _while(HasField(field or ""))
    raise UsageError(
        'when takes states, or one of a tag, a field, a function: when("recap", "ranking"), '
        'when(tag="open"), when(field="up"), when(is_over)'
    )


def _while(condition: Condition) -> Rule:
    return Rule((Alternative("shown", (condition,)),))


def _named(name: Any) -> bool:
    return isinstance(name, str) and bool(name)


def _rule(given: Any, sign: str) -> Rule:
    if not isinstance(given, Rule):
        raise UsageError(f"what stands beside {sign} is {given!r}; {WORDS}")
    return given


WORDS: Final = "take shown, hidden, own, team, count, role(…), when(…), joined by | and &"
