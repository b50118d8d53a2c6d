"""Passwords: encrypted at rest, written by callers, read only by the engine.

A value is encrypted with Fernet (AES-128-CBC and HMAC-SHA256) together with the record id and attribute that it belongs to, so that a
row copied to another record does not decrypt there. The time inside a token is the store's clock; its initialization vector comes from
the operating system, the one place where chance is not an argument.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.errors import StoreError, UnknownAttribute
from postroom.model import Lookup, Record
from postroom.model.secret import Secret
from postroom.store.prepared import Prepared
from postroom.store.rows import check_text
from postroom.store.tables import secret as table

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

    from postroom.store.transaction import Transaction

__all__ = ["KeyRing", "Secret", "erase", "read", "reencrypt", "write", "write_all"]


class KeyRing:
    """Fernet keys, the newest first: it encrypts with the first and decrypts with any. Never shows a key but in `to_text`."""

    __slots__ = ("_cipher", "_keys")

    def __init__(self, keys: Iterable[bytes]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # a heavy import, needed only by who keeps secrets

        self._keys = tuple(keys)
        if not self._keys:
            raise StoreError("a key ring needs at least one key")
        try:
            self._cipher: MultiFernet = MultiFernet([Fernet(key) for key in self._keys])
        except ValueError:
            raise StoreError("a key is 32 octets in URL-safe base64, one a line") from None

    @classmethod
    def generate(cls) -> KeyRing:
        """A ring of one new key."""
        from cryptography.fernet import Fernet

        return cls([Fernet.generate_key()])

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """One key a line, the newest first; blank lines and lines that begin with # are skipped. Raises StoreError."""
        lines = (line.strip() for line in text.splitlines())
        return cls([line.encode("ascii", "replace") for line in lines if line and not line.startswith("#")])

    @classmethod
    def from_file(cls, path: Path | str, *, create: bool = True) -> KeyRing:
        """The ring kept in a file; a missing one is made with a new key, readable by its owner only. Raises StoreError when the file
        is readable by others, is no key file, or is missing and `create` is false."""
        path = Path(path)
        if create:
            with contextlib.suppress(FileExistsError):
                ring = cls.generate()
                _write_new(path, ring.to_text())
                return ring
        try:
            mode = path.stat().st_mode
            text = path.read_text(encoding="ascii", errors="replace")
        except OSError as trouble:
            raise StoreError(f"cannot read the key file {path}: {trouble.strerror}") from None
        if os.name == "posix" and mode & 0o077:
            raise StoreError(f"the key file {path} is open to others than its owner; chmod 600 it")
        return cls.from_text(text)

    def to_text(self) -> str:
        """The keys themselves, for a file or a vault. The one way to see them."""
        return "".join(f"{key.decode('ascii')}\n" for key in self._keys)

    def rotate(self) -> KeyRing:
        """A ring with a new key in front; the old ones still decrypt. `reencrypt` then moves a database over."""
        from cryptography.fernet import Fernet

        return KeyRing([Fernet.generate_key(), *self._keys])

    def newest(self) -> KeyRing:
        """Only the key in front: what is left after `reencrypt`."""
        return KeyRing(self._keys[:1])

    def encrypt(self, text: str, moment: int) -> str:
        """`moment`: seconds since 1970, kept in the token."""
        return self._cipher.encrypt_at_time(text.encode(), moment).decode("ascii")

    def decrypt(self, token: str) -> str:
        """Raises StoreError when no key of the ring fits."""
        from cryptography.fernet import InvalidToken

        try:
            return self._cipher.decrypt(token.encode("ascii", "replace")).decode()
        except InvalidToken:
            raise StoreError("a secret cannot be read: it was encrypted with a key that is not in the key ring") from None

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._keys)}>"

    def __reduce__(self) -> Any:
        raise TypeError("a key ring is not pickled")


def _write_new(path: Path, keys: str) -> None:
    """Raises FileExistsError. Only a complete file ever carries the name."""
    if path.exists():
        raise FileExistsError
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("# Postroom keys, newest first. Without them the stored passwords are lost.\n" + keys)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)
    except FileExistsError:
        raise
    except OSError as trouble:
        raise StoreError(f"cannot write the key file {path}: {trouble.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


_ONE = sa.and_(table.c.recordid == sa.bindparam("p_id"), table.c.attribute == sa.bindparam("p_attribute"))
_READ = Prepared(sa.select(table.c.value).where(_ONE))
_ALL = sa.select(table.c.recordid, table.c.attribute, table.c.value)
_INSERT = Prepared(table.insert().inline())
_DELETE = Prepared(table.delete().where(_ONE))


def _ring(tx: Transaction) -> KeyRing:
    if tx.store.keys is None:
        raise StoreError("this store was opened without keys: open it with keys=KeyRing.from_file(...) to use passwords")
    return tx.store.keys


def _sealed(tx: Transaction, ring: KeyRing, record_id: str, attribute: str, value: str) -> str:
    text = json.dumps([record_id, attribute, value])
    return ring.encrypt(text, int(tx.now().timestamp()))


def _opened(ring: KeyRing, record_id: str, attribute: str, token: str) -> str:
    owner, name, value = json.loads(ring.decrypt(token))
    if (owner, name) != (record_id, attribute):
        raise StoreError(f"the secret {attribute!r} of {record_id!r} was copied there from another record")
    return str(value)


def write(tx: Transaction, record_id: str, attribute: str, value: Secret | str | None) -> None:
    """Keep a secret; None removes it. Raises StoreError without keys."""
    check_text(record_id, "record id")
    text = value.reveal() if isinstance(value, Secret) else value
    sealed = None if text is None else _sealed(tx, _ring(tx), record_id, attribute, check_text(text, attribute))
    tx.execute(_DELETE, {"p_id": record_id, "p_attribute": attribute})
    if sealed is not None:
        tx.execute(_INSERT, {"recordid": record_id, "attribute": attribute, "value": sealed})


def write_all(tx: Transaction, cls: type[Record], record_id: str, values: Mapping[str, Secret | str | None]) -> None:
    """Keep what validation split off from a caller's values, and set the record's `is...passwordset` flags accordingly."""
    flags: dict[str, bool] = {}
    for attribute, value in values.items():
        if attribute not in cls.__secrets__:
            raise UnknownAttribute(f"{cls.__entity__}.{attribute} is no write-only attribute")
        write(tx, record_id, attribute, value)
        if flag := cls.__secrets__[attribute].flag:
            flags[flag] = value is not None
    if flags:
        tx.update(cls, record_id, **flags)


def read(tx: Transaction, record_id: str, attribute: str) -> Secret | None:
    """A secret, or None when there is none. Raises StoreError when it is there and the keys are missing or wrong."""
    row = tx.execute(_READ, {"p_id": record_id, "p_attribute": attribute}).first()
    if row is None:
        return None
    return Secret(_opened(_ring(tx), record_id, attribute, row[0]))


def erase(tx: Transaction, reference: Lookup | str, attribute: str) -> None:
    """Remove one secret; nothing happens when there is none."""
    record_id = reference.id if isinstance(reference, Lookup) else reference
    tx.execute(_DELETE, {"p_id": record_id, "p_attribute": attribute})


def reencrypt(tx: Transaction, keys: KeyRing) -> int:
    """Encrypt every secret anew with the first key of `keys`, which must still hold the old ones. Returns how many there are."""
    rows = tx.execute(_ALL).all()
    for record_id, attribute, token in rows:
        value = _opened(keys, record_id, attribute, token)
        tx.execute(_DELETE, {"p_id": record_id, "p_attribute": attribute})
        sealed = _sealed(tx, keys, record_id, attribute, value)
        tx.execute(_INSERT, {"recordid": record_id, "attribute": attribute, "value": sealed})
    return len(rows)
