"""Certificates of a world and the TLS layer that both transports share.

The layer works on octets (`ssl.SSLObject` over `ssl.MemoryBIO`) and owns no socket, so that a fault can act at any octet of a
handshake and a conversation in memory is encrypted exactly as one over TCP.
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postroom_simulator.errors import WorldError

if TYPE_CHECKING:
    import trustme

__all__ = ["Authority", "TlsLayer", "reason"]

_CHUNK = 65536


class Authority:
    """A certificate authority made at first use, with one server certificate for `hostname`, localhost, 127.0.0.1 and ::1.

    The certificates are valid by the machine's clock, not by the world's: OpenSSL asks the machine. trustme cannot make
    them while freezegun has replaced `datetime` (dependencies reference 2.6): ask for a context before freezing.
    """

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname
        self._lock = threading.RLock()  # a client's thread and the servers' both come first
        self._made: trustme.CA | None = None
        self._servers: dict[str, ssl.SSLContext] = {}
        self._shown: dict[str, bytes] = {}

    def _make(self) -> trustme.CA:
        with self._lock:
            if self._made is None:
                import trustme

                self._made = trustme.CA(key_type=trustme.KeyType.ECDSA)
            return self._made

    def server_context(self, trouble: str = "") -> ssl.SSLContext:
        """For a server's side; one object, made once. With a `trouble`, a name of `fault_rules.TLS_TROUBLES`: one that has it (the
        usual one for troubles that are not about certificates and versions)."""
        from postroom_simulator.net import certificates

        trouble = trouble if trouble in certificates.TROUBLES else ""
        with self._lock:
            if trouble not in self._servers:
                names = dict.fromkeys((self.hostname, "localhost", "127.0.0.1", "::1"))
                leaf = certificates.leaf(trouble, self._make(), names, self.hostname)
                self._servers[trouble] = certificates.server_context(trouble, leaf)
                self._shown[trouble] = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode("ascii"))
            return self._servers[trouble]

    def certificate(self, trouble: str = "") -> bytes:
        """What a server shows, in DER: what clients bind their logins to (RFC 5929 §4)."""
        from postroom_simulator.net import certificates

        self.server_context(trouble)
        return self._shown[trouble if trouble in certificates.TROUBLES else ""]

    def use(self, certificate: str | Path, key: str | Path | None = None) -> None:
        """From now on the servers show this certificate (PEM, the whole chain; the key in the same file unless another is named), where no
        trouble is asked for. Raises WorldError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except ssl.SSLError as error:
            raise WorldError(f"{certificate}: no certificate with the key that belongs to it ({reason(error)})") from None
        except OSError as error:
            raise WorldError(f"{_unreadable(certificate, key)}: {error.strerror}") from None
        text = Path(certificate).read_text("ascii", "replace")
        begin, end = text.index(ssl.PEM_HEADER), text.index(ssl.PEM_FOOTER)
        with self._lock:
            self._servers[""] = context
            self._shown[""] = ssl.PEM_cert_to_DER_cert(text[begin:end] + ssl.PEM_FOOTER)

    def client_context(self) -> ssl.SSLContext:
        """For a client's side: trusts this authority only, and checks the host's name. A new object each time."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._make().configure_trust(context)
        return context

    def pem(self) -> bytes:
        """The authority's certificate, for clients in any language."""
        return self._make().cert_pem.bytes()

    def write(self, path: str | Path) -> Path:
        """Write `pem()` to a file and return its path."""
        target = Path(path)
        target.write_bytes(self.pem())
        return target


class TlsLayer:
    """One side of an encrypted line: octets of the wire in and out, plain octets out and in.

    Whatever is called, `take()` afterwards gives what has to be sent."""

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname)

    def feed(self, octets: bytes | bytearray) -> None:
        """Octets that came over the wire."""
        self._incoming.write(octets)

    def feed_eof(self) -> None:
        """Nothing more will come over the wire."""
        self._incoming.write_eof()

    def take(self) -> bytes:
        """Drains what has to be sent over the wire."""
        return self._outgoing.read()

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done. Raises ssl.SSLError when it failed (an alert may be there to send)."""
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> tuple[bytes, bool]:
        """Everything decrypted so far, and whether the peer said that it sends no more.

        Raises ssl.SSLError for a broken record, ssl.SSLEOFError for an end without goodbye (only after `feed_eof`)."""
        pieces: list[bytes] = []
        while True:
            try:
                piece = self.object.read(_CHUNK)
            except ssl.SSLWantReadError:
                return b"".join(pieces), False
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError:
                if pieces:  # what was whole is given out first; the same error comes again
                    return b"".join(pieces), False
                raise
            if not piece:
                return b"".join(pieces), True
            pieces.append(piece)

    def read_some(self, limit: int) -> bytes | None:
        """At most `limit` decrypted octets, b"" at the peer's goodbye, None when more has to come over the wire first."""
        try:
            return self.object.read(limit)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, plain: bytes) -> None:
        """Encrypt."""
        view = memoryview(plain)
        while view:
            view = view[self.object.write(view) :]

    def say_goodbye(self) -> None:
        """Make the close_notify alert (RFC 8446 §6.1). The peer's own is not waited for."""
        try:
            self.object.unwrap()
        except ssl.SSLError:
            pass


def _no_password() -> str:
    raise WorldError("the key of the certificate has a password: give one without")


def _unreadable(*paths: str | Path | None) -> str | Path:
    """The first file that cannot be read: OpenSSL does not say which."""
    for path in (path for path in paths if path):
        try:
            Path(path).read_bytes()
        except OSError:
            return path
    return paths[0] or ""


def reason(error: ssl.SSLError) -> str:
    """Why TLS failed, in words that do not depend on transport or OpenSSL's source lines."""
    text: Any = getattr(error, "reason", None)
    return str(text) if text else type(error).__name__
