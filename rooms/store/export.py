"""A stored session as one line of JSON, and back: what `rooms export` writes and `import` reads.

In: a record, of whatever fields the port gives it. Out: text in which bytes are base64, but for a
snapshot that is JSON, which people may want to read. What comes back is equal to the bit.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final

import orjson

from rooms.errors import UsageError
from rooms.store.port import Logged, Record, SessionId
from rooms.sync.messages import KIND_PATTERN, SESSION_PATTERN

_RAW: Final = "snapshot_base64"
_MAPPINGS: Final = frozenset(
    field.name for field in fields(Record) if str(field.type).startswith("Mapping")
)
_BYTES: Final = frozenset(field.name for field in fields(Record) if "bytes" in str(field.type))


def exported(id: SessionId, record: Record, log: Sequence[Logged] = ()) -> dict[str, Any]:
    """The record and its log as data for JSON, `kind` and `session` first."""
    line: dict[str, Any] = {"kind": id.kind, "session": id.session}
    for field in fields(Record):
        value = getattr(record, field.name)
        if isinstance(value, Mapping):
            line[field.name] = {key: _text(entry) for key, entry in value.items()}
        elif field.name == "snapshot" and value is not None and _is_json(value):
            line["snapshot"] = orjson.loads(value)
        elif isinstance(value, bytes):
            line[_RAW if field.name == "snapshot" else field.name] = _text(value)
        else:
            line[field.name] = value
    if log:
        line["log"] = [[one.revision, one.at, _text(one.data)] for one in log]
    return line


def imported(line: str | bytes) -> tuple[SessionId, Record, list[Logged]]:
    """What `exported` was given, from its JSON.

    Raises:
        UsageError: it isn't a line of an export; it says what is wrong.
    """
    try:
        data = json.loads(line)
        kind, session = data["kind"], data["session"]
        if not (KIND_PATTERN.fullmatch(kind) and SESSION_PATTERN.fullmatch(session)):
            raise ValueError(f"{kind}/{session} can't name a session")
        values = {field.name: _value(field, data) for field in fields(Record)}
        newest = values["revision"]
        if not isinstance(newest, int) or newest < 1:
            raise ValueError("`revision` is a number from 1 on")
        if values["snapshot"] is None:
            raise ValueError("`snapshot` is missing")
        log = [
            Logged(int(revision), int(at), base64.b64decode(text, validate=True))
            for revision, at, text in data.get("log", ())
        ]
        revisions = [one.revision for one in log]
        if revisions != list(range(newest - len(log) + 1, newest + 1)) or not all(revisions):
            raise ValueError("`log` has an entry for each revision up to the newest")
        return SessionId(kind, session), Record(**values), log
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"this is no line of an export: {what}") from error


def _value(field: Any, data: dict[str, Any]) -> Any:
    name = field.name
    if name == "snapshot" and _RAW in data:
        return base64.b64decode(data[_RAW], validate=True)
    if name not in data:
        if field.default is MISSING and field.default_factory is MISSING:
            raise KeyError(name)
        return field.default_factory() if field.default is MISSING else field.default
    value = data[name]
    if name in _MAPPINGS:
        return {key: base64.b64decode(entry, validate=True) for key, entry in value.items()}
    if value is None or name not in _BYTES:
        return value
    return orjson.dumps(value) if name == "snapshot" else base64.b64decode(value, validate=True)


def _is_json(blob: bytes) -> bool:
    """Whether it is an object, and JSON gives these very bytes again."""
    try:
        return blob[:1] == b"{" and orjson.dumps(orjson.loads(blob)) == blob
    except ValueError:
        return False


def _text(blob: bytes) -> str:
    return base64.b64encode(blob).decode()
