"""What can go wrong in the simulator, as one tree.

    SimulatorError
    ├── WorldError              the world was asked for something impossible (our caller's mistake)
    │   ├── UnknownAccount
    │   ├── DuplicateAddress
    │   ├── FaultError          a fault that cannot be: wrong words, impossible combination
    │   └── ImportProblem       a file of messages that cannot be read
    ├── StoreError              the mail store refuses
    │   ├── QuotaExceeded
    │   ├── NoSuchFolder
    │   ├── NoSuchItem
    │   └── TokenExpired
    ├── Deadlock                both sides of an in-memory conversation wait, and no timer will ever fire
    └── ExpectationFailed       a question to the journal had another answer than expected

Errors that travel over a wire are not here: each protocol package has its own replies and knows their codes.
"""

from __future__ import annotations

__all__ = [
    "Deadlock",
    "DuplicateAddress",
    "ExpectationFailed",
    "FaultError",
    "ImportProblem",
    "NoSuchFolder",
    "NoSuchItem",
    "QuotaExceeded",
    "SimulatorError",
    "StoreError",
    "TokenExpired",
    "UnknownAccount",
    "WorldError",
]


class SimulatorError(Exception):
    """Root of the tree."""


class WorldError(SimulatorError):
    """The caller asked for something that this world cannot do."""


class UnknownAccount(WorldError):
    """No account of the directory has this address."""


class DuplicateAddress(WorldError):
    """An address may belong to one account or group only."""


class FaultError(WorldError):
    """A fault that cannot be. The text says what is wrong, where, and the nearest word that would be right."""


class ImportProblem(WorldError):
    """A file of messages that cannot be read. The text names the file and the reason."""


class StoreError(SimulatorError):
    """The mail store refuses."""


class QuotaExceeded(StoreError):
    """The deposit would exceed the account's quota. Nothing was stored."""


class NoSuchFolder(StoreError):
    """No folder has this id (or it was deleted)."""


class NoSuchItem(StoreError):
    """No item has this uid (or it was deleted)."""


class TokenExpired(StoreError):
    """More was forgotten since this token than can be told (see `store.interface.Horizon`): begin anew, with 0."""


class Deadlock(SimulatorError):
    """A read in memory that nothing can ever satisfy. Names both sides and what each waits for."""


class ExpectationFailed(SimulatorError, AssertionError):
    """A question to the journal had another answer than expected. The text lists the nearest entries."""
