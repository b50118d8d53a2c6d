"""Fake POP3, SMTP and EWS servers over one mailbox store, good enough for real clients, that misbehave on cue."""
