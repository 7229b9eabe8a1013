"""Two commits of one session, of which the second follows on the first, as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rooms.store.port import Trim

if TYPE_CHECKING:
    from rooms.store.port import Commit


def merged(first: Commit, second: Commit) -> Commit | None:
    """What writing both does, each where it is refused alone; None: they have to be written apart.

    The level is the stricter one's.
    """
    if second.anew is not None or first.anew is not None:
        return None
    if (first.incarnation, first.epoch, first.generation, first.new) != (
        second.incarnation,
        second.epoch,
        second.generation,
        second.prev,
    ):
        return None
    trim = second.trim
    if first.trim is not None:
        # The first trims only what it knew.
        trim = Trim(min(first.trim.revision, first.new), first.trim.at)
        if second.trim is not None:
            if second.trim.revision < trim.revision or second.trim.at < trim.at:
                return None  # nobody does
            trim = second.trim
    return replace(
        second,
        prev=first.prev,
        snapshot=first.snapshot if second.snapshot is None else second.snapshot,
        seats=first.seats if second.seats is None else second.seats,
        marks={**first.marks, **second.marks},
        outbox={**first.outbox, **second.outbox},
        patches={**first.patches, **second.patches},
        storage={**first.storage, **second.storage},
        log=(*first.log, *second.log),
        trim=trim,
        listing=first.listing if second.listing is None else second.listing,
        durable=first.durable or second.durable,
        replicas=max(first.replicas, second.replicas),
    )
