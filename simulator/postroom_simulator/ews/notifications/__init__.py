"""Notifications: what happened in a mailbox, who wants to know of it, and how they are told (ews reference 14).

`events` turns changes of the store into events with a number each, the watermark; `subscriptions` keeps who listens; `push` calls clients back.
"""
