"""The side that holds sockets: from a frame to the link, and back. What lies where:

put together              router  listening
who may come in           admission  tokens  limits  refusals  development
a connection              sockets  frames  intake  connections  parties  streams
where its session is      routing  hosts  dialing
what is kept of them      channels
what comes back to it     delivery
without a connection      http  asking  pages
"""
