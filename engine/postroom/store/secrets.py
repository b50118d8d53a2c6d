"""Passwords: encrypted at rest, written by callers, read only by the engine.

A value is encrypted with Fernet (AES-128-CBC and HMAC-SHA256) together with the record id and attribute that it belongs to, so that a
row copied to another record does not decrypt there. The time inside a token is the store's clock; its initialization vector comes from
the operating system, the one place where chance is not an argument.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
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

    from postroom.store import OrganizationStore
    from postroom.store.transaction import Transaction

__all__ = ["BATCH", "KeyRing", "Secret", "all_newest", "erase", "move_to_newest", "read", "write", "write_all"]

BATCH = 200
"""Secrets of one transaction while a key is rotated."""


class KeyRing:
    """Fernet keys, the newest first: it encrypts with the first and decrypts with any. Never shows a key but in `to_text`.

    A ring that was read from a file follows the file: before it encrypts, and before it says that no key fits, it looks whether the file
    has changed. So a key is rotated under the hands of processes that are at work: a secret is sealed inside its write transaction, and the
    file has the new key before the first secret is moved.
    """

    __slots__ = ("_cipher", "_keys", "_path", "_stamp")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._path: Path | None = None
        self._stamp: tuple[int, ...] = ()
        self._use(tuple(keys))

    def _use(self, keys: tuple[bytes, ...]) -> None:
        from cryptography.fernet import Fernet, MultiFernet  # a heavy import, needed only by who keeps secrets

        if not keys:
            raise StoreError("a key ring needs at least one key")
        try:
            self._cipher: MultiFernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise StoreError("a key is 32 octets in URL-safe base64, one a line") from None
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def generate(cls) -> KeyRing:
        """A ring of one new key."""
        from cryptography.fernet import Fernet

        return cls([Fernet.generate_key()])

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """One key a line, the newest first; blank lines and lines that begin with # are skipped. Raises StoreError."""
        return cls(_parsed(text))

    @classmethod
    def from_file(cls, path: Path | str, *, create: bool = True) -> KeyRing:
        """The ring kept in a file; a missing one is made with a new key, readable by its owner only. Raises StoreError when the file
        is readable by others, is no key file, or is missing and `create` is false."""
        path = Path(path)
        if create:
            with contextlib.suppress(FileExistsError):
                _write_new(path, cls.generate().to_text())
        stamp = _stamp_of(path)  # before it is read: a file replaced meanwhile is read again
        ring = cls(_keys_in(path))
        ring._path, ring._stamp = path, stamp
        return ring

    def _follow(self) -> bool:
        """Take over what the file holds now; False when there is no file or it is as it was. Raises StoreError for a file that cannot be
        read."""
        if self._path is None or (stamp := _stamp_of(self._path)) == self._stamp:
            return False
        self._use(_keys_in(self._path))
        self._stamp = stamp
        return True

    def to_text(self) -> str:
        """The keys themselves, for a file or a vault. The one way to see them."""
        return "".join(f"{key.decode('ascii')}\n" for key in self._keys)

    def rotate(self) -> KeyRing:
        """A ring with a new key in front; the old ones still decrypt. `move_to_newest` then moves a database over."""
        from cryptography.fernet import Fernet

        return KeyRing([Fernet.generate_key(), *self._keys])

    def newest(self) -> KeyRing:
        """Only the key in front."""
        return KeyRing(self._keys[:1])

    def add_newest(self) -> None:
        """A new key in front, in this ring and, first, in its file. Raises StoreError when the file cannot be written: nothing changed."""
        self._follow()
        self._replace(self.rotate())

    def retire(self) -> int:
        """Only the newest key stays, in this ring and in its file: for when no secret needs the others. Returns how many went."""
        self._follow()
        old = len(self._keys) - 1
        if old:
            self._replace(self.newest())
        return old

    def _replace(self, other: KeyRing) -> None:
        if self._path is not None:
            _write_over(self._path, other.to_text())
            self._stamp = _stamp_of(self._path)
        self._use(other._keys)

    def encrypt(self, text: str, moment: int) -> str:
        """`moment`: seconds since 1970, kept in the token."""
        self._follow()
        return self._cipher.encrypt_at_time(text.encode(), moment).decode("ascii")

    def decrypt(self, token: str) -> str:
        """Raises StoreError when no key of the ring fits."""
        from cryptography.fernet import InvalidToken

        octets = token.encode("ascii", "replace")
        try:
            try:
                return self._cipher.decrypt(octets).decode()
            except InvalidToken:
                if not self._follow():
                    raise
                return self._cipher.decrypt(octets).decode()
        except InvalidToken:
            raise StoreError(
                "it was encrypted with a key that is not in the key ring: put back the key file that was in use when it was written (its"
                " lines may be added below those of the present file), or enter the secret again"
            ) from None

    def is_newest(self, token: str) -> bool:
        """Whether the key in front opens it."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            Fernet(self._keys[0]).decrypt(token.encode("ascii", "replace"))
        except InvalidToken:
            return False
        return True

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._keys)}>"

    def __reduce__(self) -> Any:
        raise TypeError("a key ring is not pickled")


def _stamp_of(path: Path) -> tuple[int, ...]:
    """Tells one content of the file from another: it is only ever replaced whole. Empty when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _keys_in(path: Path) -> tuple[bytes, ...]:
    """Raises StoreError when the file is readable by others, is no key file, or is missing."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as trouble:
        raise StoreError(f"cannot read the key file {path}: {trouble.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise StoreError(f"the key file {path} is open to others than its owner; chmod 600 it")
    return _parsed(text)


def _parsed(text: str) -> tuple[bytes, ...]:
    lines = (line.strip() for line in text.splitlines())
    return tuple(line.encode("ascii", "replace") for line in lines if line and not line.startswith("#"))


def _write_new(path: Path, keys: str) -> None:
    """Raises FileExistsError. Only a complete file ever carries the name."""
    if path.exists():
        raise FileExistsError
    _write(path, keys, lambda fresh: os.link(fresh, path))


def _write_over(path: Path, keys: str) -> None:
    """The file has either its old content or all of the new one, whenever the power goes."""
    _write(path, keys, lambda fresh: fresh.replace(path))


def _write(path: Path, keys: str, put: Callable[[Path], object]) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("# Postroom keys, newest first. Without them the stored passwords are lost.\n" + keys)
            file.flush()
            os.fsync(file.fileno())
        put(fresh)
        _sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as trouble:
        raise StoreError(f"cannot write the key file {path}: {trouble.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """So that the new name outlives a power cut too."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_ONE = sa.and_(table.c.recordid == sa.bindparam("p_id"), table.c.attribute == sa.bindparam("p_attribute"))
_READ = Prepared(sa.select(table.c.value).where(_ONE))
_ALL = sa.select(table.c.recordid, table.c.attribute, table.c.value)
_INSERT = Prepared(table.insert().inline())
_DELETE = Prepared(table.delete().where(_ONE))
_REPLACE = Prepared(table.update().where(_ONE).values(value=sa.bindparam("v_value")))


def _ring(tx: Transaction) -> KeyRing:
    if tx.store.keys is None:
        raise StoreError("this store was opened without keys: open it with keys=KeyRing.from_file(...) to use passwords")
    return tx.store.keys


def _sealed(tx: Transaction, ring: KeyRing, record_id: str, attribute: str, value: str) -> str:
    text = json.dumps([record_id, attribute, value])
    return ring.encrypt(text, int(tx.now().timestamp()))


def _opened(ring: KeyRing, record_id: str, attribute: str, token: str) -> str:
    try:
        owner, name, value = json.loads(ring.decrypt(token))
    except StoreError as trouble:
        raise StoreError(f"the secret {attribute!r} of {record_id!r} cannot be read: {trouble}") from None
    if (owner, name) != (record_id, attribute):
        raise StoreError(f"the secret {attribute!r} of {record_id!r} was copied there from another record: enter it again")
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


def all_newest(store: OrganizationStore) -> bool:
    """Whether the newest key opens every secret: no rotation is under way."""
    return not any(_pages(store))


def move_to_newest(store: OrganizationStore) -> int:
    """Encrypt with the newest key what is not yet, a few secrets in each transaction; where it is cut off it goes on another time.
    Returns how many were moved. Raises StoreError for those that no key opens, after all others were moved."""
    moved, lost = 0, ""
    for page in _pages(store):
        with store.transaction() as tx:
            ring = _ring(tx)
            for record_id, attribute in page:
                row = tx.execute(_READ, {"p_id": record_id, "p_attribute": attribute}).first()
                if row is None or ring.is_newest(row[0]):  # removed or entered anew since
                    continue
                try:
                    value = _opened(ring, record_id, attribute, row[0])
                except StoreError as trouble:
                    lost = lost or str(trouble)
                    continue
                sealed = _sealed(tx, ring, record_id, attribute, value)
                tx.execute(_REPLACE, {"p_id": record_id, "p_attribute": attribute, "v_value": sealed})
                moved += 1
    if lost:
        raise StoreError(lost)
    return moved


def _pages(store: OrganizationStore) -> Iterator[list[tuple[str, str]]]:
    """(record id, attribute) of the secrets, those that the newest key does not open, looked for without the write lock."""
    last = ("", "")
    while True:
        after = sa.or_(table.c.recordid > last[0], sa.and_(table.c.recordid == last[0], table.c.attribute > last[1]))
        with store.reading() as tx:
            rows = tx.execute(_ALL.where(after).order_by(table.c.recordid, table.c.attribute).limit(BATCH)).all()
            if not rows:
                return
            ring = _ring(tx)
        last = rows[-1][0], rows[-1][1]
        if found := [(row[0], row[1]) for row in rows if not ring.is_newest(row[2])]:
            yield found
