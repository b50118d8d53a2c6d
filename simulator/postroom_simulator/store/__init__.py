"""The mail store that POP3, SMTP and EWS share."""

from postroom_simulator.store.interface import (
    Changes,
    Folder,
    Horizon,
    Item,
    MailStore,
    Outbound,
    Role,
)

__all__ = ["Changes", "Folder", "Horizon", "Item", "MailStore", "Outbound", "Role"]
