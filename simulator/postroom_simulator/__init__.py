"""Fake POP3, SMTP and EWS servers over one mailbox store, good enough for real clients, that misbehave on cue."""

from postroom_simulator.clock import Clock, ManualClock, SystemClock
from postroom_simulator.delivery import Delivery, Outcome, RecipientStatus
from postroom_simulator.directory import Account, Group, Rule
from postroom_simulator.errors import SimulatorError
from postroom_simulator.faults import (
    AcceptThenReset,
    Cut,
    Delay,
    Drip,
    Drop,
    Fault,
    Garble,
    Lie,
    LoseReply,
    Refuse,
    Reply,
    Stall,
    TlsTrouble,
    When,
)
from postroom_simulator.journal import Entry, Journal, Kind
from postroom_simulator.store import Item, Role
from postroom_simulator.world import SERVICES, World

__all__ = [
    "SERVICES",
    "AcceptThenReset",
    "Account",
    "Clock",
    "Cut",
    "Delay",
    "Delivery",
    "Drip",
    "Drop",
    "Entry",
    "Fault",
    "Garble",
    "Group",
    "Item",
    "Journal",
    "Kind",
    "Lie",
    "LoseReply",
    "ManualClock",
    "Outcome",
    "RecipientStatus",
    "Refuse",
    "Reply",
    "Role",
    "Rule",
    "SimulatorError",
    "Stall",
    "SystemClock",
    "TlsTrouble",
    "When",
    "World",
]
