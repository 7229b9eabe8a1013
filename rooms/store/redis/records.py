"""A record as the fields of a hash, and back: what the scripts and the port each understand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rooms.store.port import Listed, Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rooms.store.port import Commit, HostInfo, SessionId

_ENTRIES: Final = ("mark", "outbox", "patch", "storage")

LINE: Final = ("revision", "version", "changed", "due", "owner")
"""The fields that `line_of` takes."""


def change_of(commit: Commit, name: str, time: str) -> list[str | bytes | int]:
    """A commit as the arguments of `lua/commit.lua`."""
    fields: list[str | bytes | int] = ["revision", commit.new, "version", commit.version]
    gone: list[str] = []
    for field, at in (("due", commit.due), ("expires", commit.expires)):
        if at is None:
            gone.append(field)
        else:
            fields += (field, at)
    if commit.snapshot is not None:
        fields += ("snapshot", commit.snapshot)
    if commit.seats is not None:
        fields += ("seats", commit.seats)
    for part, entries in zip(
        _ENTRIES, (commit.marks, commit.outbox, commit.patches, commit.storage), strict=True
    ):
        for key, value in entries.items():
            if value is None:
                gone.append(f"{part}:{key}")
            else:
                fields += (f"{part}:{key}", value)
    listing = ""
    if commit.listing:
        listing = "+"
        fields += ("listing", commit.listing)
    elif commit.listing is not None:
        listing = "-"
        gone.append("listing")
    trim: tuple[str | int, str | int] = ("", "")
    if commit.trim is not None:  # of a young session it may be before the first revision
        trim = (max(commit.trim.revision, 0), commit.trim.at)
    log = [part for one in commit.log for part in one]
    return [
        *(commit.incarnation, commit.epoch, commit.generation, commit.prev),
        *(time, name, listing, *trim, commit.anew or "", len(fields), len(gone), len(log)),
        *fields,
        *gone,
        *log,
    ]


def record_of(fields: Sequence[bytes], logged: int) -> Record | None:
    """What a hash's fields and values say; None before the first commit."""
    plain: dict[bytes, bytes] = {}
    entries: dict[bytes, dict[str, bytes]] = {part.encode(): {} for part in _ENTRIES}
    for field, value in zip(fields[::2], fields[1::2], strict=True):
        part, parted, key = field.partition(b":")
        if parted:
            entries[part][key.decode()] = value
        else:
            plain[field] = value
    version = plain.get(b"version")
    if version is None:
        return None
    return Record(
        generation=plain[b"generation"].decode(),
        version=version.decode(),
        revision=int(plain[b"revision"]),
        snapshot=plain.get(b"snapshot"),
        seats=plain.get(b"seats"),
        marks=entries[b"mark"],
        outbox=entries[b"outbox"],
        patches=entries[b"patch"],
        storage=entries[b"storage"],
        listing=plain.get(b"listing"),
        activation=plain.get(b"activation"),
        due=_number(plain.get(b"due")),
        expires=_number(plain.get(b"expires")),
        changed=int(plain[b"changed"]),
        logged=bool(logged),
    )


def line_of(id: SessionId, row: Sequence[Any], size: int, living: Mapping[str, HostInfo]) -> Listed:
    """A line of the list of sessions; whose owner has died sleeps."""
    revision, version, changed, due, owner = row
    name = owner.decode()
    return Listed(
        id,
        int(revision),
        version.decode(),
        int(changed),
        _number(due),
        name if name in living else None,
        size,
    )


def _number(text: bytes | None) -> int | None:
    return None if text is None else int(text)
