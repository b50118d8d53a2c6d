"""The classes that a provider may start from. None is needed: the runtime asks only for `contract.Provider`.

Provider (Protocol)          what the runtime calls
└─ EmailProvider             counters, last_error; final check, run, close; hooks on_check, on_run, on_close     lifecycle
   ├─ PollingProvider        looks for work when its schedule says so                                            lifecycle
   │  ├─ MailboxProvider     open, list, retrieve, validate, unwrap, accept, deliver, dispose, close             mailbox
   │  └─ SendProvider        claim, compose, submit, report                                                      sending
   └─ TriggeredProvider      runs when something was announced                                                   lifecycle
"""

from __future__ import annotations

from postroom.providers.lifecycle import Counters, EmailProvider, PollingProvider, Tally, TriggeredProvider, overridden_finals
from postroom.providers.mailbox import Fetched, Listed, MailboxProvider, MailboxState
from postroom.providers.sending import SendProvider, Submitted

__all__ = [
    "Counters",
    "EmailProvider",
    "Fetched",
    "Listed",
    "MailboxProvider",
    "MailboxState",
    "PollingProvider",
    "SendProvider",
    "Submitted",
    "Tally",
    "TriggeredProvider",
    "overridden_finals",
]
