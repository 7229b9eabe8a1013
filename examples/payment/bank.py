"""A bank of another company: its own book, and a line on which half of all calls fail.

Half of those that fail were carried out, and only their answer was lost. What makes that harmless
is all that a bank has to do: a call whose key it has seen changes nothing, and answers the same.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

OPENED_WITH = 100_00
"""What is on every account to begin with, cents."""


class Bank:
    """The book at `path`. Its methods take as long as the disk does: call them in a thread."""

    def __init__(self, path: str | Path, *, fails: bool = True) -> None:
        self._path = path
        self._fails = fails

    def debit(self, key: str, payment: str, account: str, cents: int) -> dict[str, Any]:
        """Take from an account. `declined` says why it wasn't."""
        return self._call("debit", key, payment, account, -cents)

    def credit(self, key: str, payment: str, account: str, cents: int) -> dict[str, Any]:
        """Give to an account."""
        return self._call("credit", key, payment, account, cents)

    def refund(self, key: str, payment: str, account: str, cents: int) -> dict[str, Any]:
        """Give back what a payment took and nobody got, and take nothing for it any more."""
        return self._call("refund", key, payment, account, cents)

    def entries(self) -> list[tuple[str, str, str, int]]:
        """The whole book: what, for which payment, whose account, cents."""
        with closing(self._open()) as db:
            return db.execute("SELECT what, payment, account, cents FROM book").fetchall()

    def balance(self, account: str) -> int:
        """What is on an account, cents."""
        with closing(self._open()) as db:
            return _balance(db, account)

    def _call(self, what: str, key: str, payment: str, account: str, cents: int) -> dict[str, Any]:
        trouble = secrets.randbelow(4) if self._fails else None
        if trouble == 0:
            raise OSError("the bank can't be reached")
        with closing(self._open()) as db, db:
            db.execute("BEGIN IMMEDIATE")
            known = db.execute("SELECT 1 FROM book WHERE key = ?", (key,)).fetchone()
            if known is None and (refused := _refused(db, what, payment, account, cents)):
                return {"declined": refused}
            if known is None:
                if what == "refund":
                    cents = min(cents, _owed(db, payment))
                db.execute(
                    "INSERT INTO book VALUES (?, ?, ?, ?, ?)", (key, what, payment, account, cents)
                )
        if trouble == 1:
            raise OSError("the bank's answer was lost")
        return {"entry": key}

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        db.execute(
            "CREATE TABLE IF NOT EXISTS book"
            " (key TEXT PRIMARY KEY, what TEXT, payment TEXT, account TEXT, cents INTEGER)"
        )
        return db


def _refused(
    db: sqlite3.Connection, what: str, payment: str, account: str, cents: int
) -> str | None:
    if what == "debit" and _balance(db, account) + cents < 0:
        return "there isn't so much on the account"
    if what != "refund" and _has(db, "refund", payment):
        return "this payment was refunded"
    return None


def _owed(db: sqlite3.Connection, payment: str) -> int:
    """What a payment took that nobody got."""
    (taken,) = db.execute("SELECT -sum(cents) FROM book WHERE payment = ?", (payment,)).fetchone()
    return taken or 0


def _has(db: sqlite3.Connection, what: str, payment: str) -> bool:
    found = db.execute("SELECT 1 FROM book WHERE what = ? AND payment = ?", (what, payment))
    return found.fetchone() is not None


def _balance(db: sqlite3.Connection, account: str) -> int:
    (moved,) = db.execute("SELECT sum(cents) FROM book WHERE account = ?", (account,)).fetchone()
    return OPENED_WITH + (moved or 0)
