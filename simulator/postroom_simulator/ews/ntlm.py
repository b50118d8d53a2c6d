"""The server's side of NTLM (MS-NLMP): users are the directory's accounts, the challenge comes from the world's chance, time from its clock.

pyspnego has messages and arithmetic; its own acceptor takes users from a file on disk, which a world does not have.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING

from spnego._ntlm_raw.crypto import compute_response_v1, hmac_md5, kxkey, lmowfv1, ntowfv1, ntowfv2, rc4k
from spnego._ntlm_raw.messages import (
    Authenticate,
    AvFlags,
    AvId,
    Challenge,
    FileTime,
    Negotiate,
    NegotiateFlags,
    NTClientChallengeV2,
    TargetInfo,
)

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.world import World

__all__ = ["TOKEN_LIMIT", "Acceptor", "bindings_of", "is_negotiate"]

TOKEN_LIMIT = 16 * 1024
"""Octets of one message; ours."""
_SIGNATURE = b"NTLMSSP\0"
_V1_LENGTH = 24


def is_negotiate(token: bytes) -> bool:
    """Whether a token is the first of a handshake (MS-NLMP 2.2.1.1)."""
    return token[:12] == _SIGNATURE + b"\x01\0\0\0"


class Acceptor:
    """One handshake: `challenge` answers the first message, `named` and `check` look at the last one.

    bindings  what the channel is bound to (`bindings_of`), None: the client is not asked for any; `required`: a client that says none is refused
    flags, session_key  after a `check` that went well: what was agreed, for signatures
    """

    def __init__(self, world: World, bindings: bytes | None = None, *, required: bool = False) -> None:
        self.flags = 0
        self.session_key = b""
        self._bindings = bindings
        self._required = required
        self._world = world
        self._first = b""
        self._second = b""
        self._nonce = b""

    def challenge(self, token: bytes) -> bytes:
        """The CHALLENGE_MESSAGE. Raises ValueError for what is no NEGOTIATE_MESSAGE."""
        try:
            asked = Negotiate.unpack(token)
        except Exception:  # whatever the parser trips over
            raise ValueError("no NEGOTIATE_MESSAGE") from None
        flags = (
            asked.flags
            | NegotiateFlags.request_target
            | NegotiateFlags.ntlm
            | NegotiateFlags.always_sign
            | NegotiateFlags.target_info
            | NegotiateFlags.target_type_server
            | NegotiateFlags.unicode
        )
        flags &= ~(NegotiateFlags.oem | NegotiateFlags.version)
        if flags & NegotiateFlags.extended_session_security:
            flags &= ~NegotiateFlags.lm_key
        host = self._world.hostname
        domain = host.partition(".")[0].upper()[:15]
        info = TargetInfo()
        info[AvId.nb_computer_name] = domain
        info[AvId.nb_domain_name] = domain
        info[AvId.dns_computer_name] = host
        now = self._world.clock.now()
        info[AvId.timestamp] = FileTime(
            now.year, now.month, now.day, now.hour, now.minute, now.second, now.microsecond, now.tzinfo
        )
        self._nonce = self._world.ids.random.randbytes(8)
        self._first = token
        self._second = Challenge(flags, self._nonce, target_name=domain, target_info=info).pack()
        return self._second

    def named(self, token: bytes) -> str:
        """The user name of an AUTHENTICATE_MESSAGE, "" where there is none."""
        try:
            return Authenticate.unpack(token).user_name or ""
        except Exception:
            return ""

    def check(self, token: bytes, account: Account) -> bool:
        """Whether the message proves that its sender knows the account's password: NTLMv2 and v1 responses, and the MIC where it is
        announced (MS-NLMP 3.3, 3.2.5.1.2)."""
        try:
            said = Authenticate.unpack(token)
            return bool(said.user_name) and self._proves(said, account)
        except Exception:  # truncated fields, impossible offsets
            return False

    def _proves(self, said: Authenticate, account: Account) -> bool:
        response = said.nt_challenge_response or b""
        nt_hash = ntowfv1(account.password)
        if len(response) <= _V1_LENGTH:
            extended = said.flags & NegotiateFlags.extended_session_security
            client = (said.lm_challenge_response or b"\0" * 8)[:8] if extended else b"\0" * 8
            lm_hash = lmowfv1(account.password)
            expected, _, base = compute_response_v1(said.flags, nt_hash, lm_hash, self._nonce, client)
            if self._required or not hmac.compare_digest(response, expected):  # it has no place for channel bindings
                return False
            key = kxkey(said.flags, base, lm_hash, said.lm_challenge_response or b"", self._nonce)
            self._agree(said, key)
            return True
        shown = NTClientChallengeV2.unpack(response[16:])
        key = ntowfv2(said.user_name or "", nt_hash, said.domain_name)
        # What the client hashed is taken as it stands: packed again it might differ in padding (MS-NLMP 3.3.2).
        if not hmac.compare_digest(response[:16], hmac_md5(key, self._nonce + response[16:])):
            return False
        if not self._bound(shown.av_pairs.get(AvId.channel_bindings)):
            return False
        exported = self._agree(said, hmac_md5(key, response[:16]))
        if not shown.av_pairs.get(AvId.flags, 0) & AvFlags.mic:
            return True
        mic, said.mic = said.mic or b"", b"\0" * 16
        return hmac.compare_digest(mic, hmac_md5(exported, self._first + self._second + said.pack()))

    def _agree(self, said: Authenticate, key: bytes) -> bytes:
        """The session key (MS-NLMP 3.2.5.1.2), from the key of the response."""
        signing = said.flags & (NegotiateFlags.sign | NegotiateFlags.seal)
        exchanged = said.flags & NegotiateFlags.key_exch and signing
        self.flags = said.flags
        self.session_key = rc4k(key, said.encrypted_random_session_key or b"") if exchanged else key
        return self.session_key

    def _bound(self, said: bytes | None) -> bool:
        """Whether the client talks over the channel that we see (MsvAvChannelBindings, MS-NLMP 2.2.2.1; zeros: it says nothing)."""
        if self._bindings is None:
            return not self._required
        if not said or not any(said):
            return not self._required
        return hmac.compare_digest(said, self._bindings)


def bindings_of(certificate: bytes) -> bytes:
    """What a client of TLS binds itself to: the MD5 of a gss_channel_bindings_struct with tls-server-end-point (RFC 5929 §4). `certificate`: DER, signed
    with SHA-256 or an older hash."""
    data = b"tls-server-end-point:" + hashlib.sha256(certificate).digest()
    return hashlib.md5(bytes(16) + struct.pack("<I", len(data)) + data).digest()  # noqa: S324 - the protocol says so
