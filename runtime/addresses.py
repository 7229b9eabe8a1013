"""Addresses: where an actor stands in its system, by which timers and other events find it."""

from __future__ import annotations


def address_under(parent: str, id: str) -> str:
    """The address of the child `id` of the actor at `parent`; "/" and "~" in ids are escaped as in
    RFC 6901.
    """
    if "/" in id or "~" in id:
        id = id.replace("~", "~0").replace("/", "~1")
    return f"{parent}/{id}" if parent else id


def ids_of(address: str) -> list[str]:
    """The ids on the way from the root to an address."""
    if not address:
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in address.split("/")]
