"""Where a session wakes (PURE): `ring.py`."""
