"""The POP3 server's side (RFC 1939, 2449, 2595, 3206, 5034, 6856): a session that takes octets and gives octets.

syntax      lines, commands and numbers out of octets
replies     what the server says, as values
settings    limits and what is offered; the state that all sessions of a world share
maildrop    the frozen snapshot of an Inbox and its unique ids
downgrade   heads with UTF-8 for clients that did not ask for it
languages   reply texts in other languages
policy      how often people may log in, how long mail stays
troubles    maildrops that are not what the RFCs want
copies      an Inbox as it was once, and putting it back
opening     from a login to the maildrop
dialogue    what one conversation knows, and logging in
commands    the one table of commands, and what each does
session     framing, faults, journal, ends: `Pop3Session`

Logging in is `postroom_simulator.sasl`, shared with SMTP.
"""
