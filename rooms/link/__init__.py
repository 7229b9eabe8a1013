"""Between routers and hosts. What lies where:

what they say             protocol
in one process            memory
between processes         framing  stream
"""
