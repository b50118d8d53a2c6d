"""The POP3 server's side (RFC 1939, 2449, 2595, 3206, 5034): a session that takes octets and gives octets.

syntax      lines, commands and numbers out of octets
replies     what the server says, as values
settings    limits and what is offered; the state that all sessions of a world share
maildrop    the frozen snapshot of an Inbox, unique ids, the exclusive lock
commands    the one table of commands, and what each does
session     framing, faults, journal, ends: `Pop3Session`

Logging in is `postroom_simulator.sasl`, shared with SMTP.
"""
