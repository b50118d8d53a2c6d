"""The SMTP server's side (RFC 5321, 1870, 2034, 2920, 3030, 3207, 3461, 4954, 6152, 6531): a session that takes octets and gives octets.

loop        an event loop that is stepped by hand: asyncio without threads, timers or selectors
text        lines, and the text of a message, out of octets
addresses   paths, and the form of parameters
parameters  what parameters of MAIL and RCPT mean
replies     reply lines, and the one table of enhanced codes
trace       the `Received:` line
settings    limits and what is offered
dialogue    aiosmtpd's SMTP class without its transport: listening, speaking, faults, journal
login       AUTH
transaction MAIL, RCPT, DATA and BDAT
enquiries   what VRFY, EXPN and HELP tell
server      the other verbs, and the one table of all
session     `SmtpSession`

Logging in is `postroom_simulator.sasl`, shared with POP3; what is refused beyond the settings is `postroom_simulator.policies`.
"""
