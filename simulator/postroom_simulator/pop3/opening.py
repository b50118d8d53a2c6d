"""What happens between a login and the first look at the maildrop: an old copy put back, expired mail removed, troubles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroom_simulator.journal import Kind
from postroom_simulator.pop3.copies import restore_inbox
from postroom_simulator.pop3.maildrop import Heads, Maildrop
from postroom_simulator.pop3.policy import expired
from postroom_simulator.pop3.troubles import TroubledMaildrop, Troubles

if TYPE_CHECKING:
    from postroom_simulator.pop3.settings import Pop3Service
    from postroom_simulator.session import SessionContext

__all__ = ["open_maildrop"]


def open_maildrop(context: SessionContext, service: Pop3Service, address: str, *, utf8: bool) -> Maildrop:
    """The account's maildrop as this session sees it. Raises StoreError or UnknownAccount."""
    troubles = service.troubles.get(address)
    if troubles is not None and troubles.restored_from is not None:
        restore_inbox(context.world, troubles.restored_from)
        service.troubles.restored(address)
    expired(context.world, service.policies, address)
    store = context.world.store
    heads: Heads = "raw" if utf8 else service.settings.utf8_heads
    if troubles is None:
        return Maildrop.open(store, address, service.names, heads)
    return _troubled(context, service, address, troubles, heads)


def _troubled(
    context: SessionContext, service: Pop3Service, address: str, troubles: Troubles, heads: Heads
) -> TroubledMaildrop:
    def note(trouble: str, number: int) -> None:
        item = maildrop.item(number)
        data = {"trouble": trouble, "uid": item.uid, "uidl": maildrop.name(number, item)}
        context.note(Kind.NOTE, account=address, detail=f"message {number}: {trouble}", data=data)

    maildrop = TroubledMaildrop.open(context.world.store, address, service.names, heads)
    maildrop.troubles = troubles
    maildrop.session = service.troubles.count_login(address)
    maildrop.note = note
    context.note(Kind.NOTE, account=address, detail=f"in trouble: {troubles.named()}", data={"trouble": "login"})
    return maildrop
