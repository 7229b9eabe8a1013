"""The side that keeps rooms: from what routers say to what they are told. What lies where:

what routers say          host  links  channels  kinds  crowding
a room found, or woken    keeper  claims  lease  waking  gathering
its turn                  room  turn  session  attendance  door  seats  clients  marks  scale
its commit                commits  journal  record  gate
what is told of it        opening  teller  audience  presence
what it owes the world    outbox  retries  settling  courier  neighbours  post
asked without a socket    ask  requests  recall  history  listing  administration
its sleep and its end     idle  alarms  expiry  endings  drops
time                      clock
rooms without a machine   hooks/
a process for a room      processes  tenant  guests  isolated  watched  deaths
"""
