"""What each connection is told (PURE). What lies where:

the wire                  messages  codec  conversation  party
what a viewer may see     views  parts
the same as a table       rules  policy  table  lens
from view to view         diff  backlog  watch  fanout
"""
