"""The mail store that POP3, SMTP and EWS share."""

from postroom_simulator.store.interface import (
    ASSOCIATED,
    Changes,
    Folder,
    Happening,
    Horizon,
    Item,
    Listing,
    MailStore,
    Outbound,
    Role,
    Tally,
)

__all__ = [
    "ASSOCIATED",
    "Changes",
    "Folder",
    "Happening",
    "Horizon",
    "Item",
    "Listing",
    "MailStore",
    "Outbound",
    "Role",
    "Tally",
]
