"""Rooms without a machine: sessions that call their author's hooks, and what these are given."""
