"""The distributed store: Redis or Valkey. `store.py` is its face; `deploy/redis/README.md` is for
those who run it.
"""
