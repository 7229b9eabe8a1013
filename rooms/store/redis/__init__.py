"""The distributed store: Redis or Valkey. `store.py` is its face; `deploy/redis.md` is for those who
run it.
"""
