"""The SMTP server's side (RFC 5321, 1870, 2034, 2920, 3207, 4954, 6152, 6531): a session that takes octets and gives octets.

loop        an event loop that is stepped by hand: asyncio without threads, timers or selectors
text        lines, and the text of a message, out of octets
addresses   paths and parameters
replies     reply lines, and the one table of enhanced codes
trace       the `Received:` line
settings    limits and what is offered
dialogue    aiosmtpd's SMTP class without its transport: listening, speaking, faults, journal
server      the one table of verbs, and what each does
session     `SmtpSession`

Logging in is `postroom_simulator.sasl`, shared with POP3.
"""
