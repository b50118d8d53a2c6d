"""The server's side of NTLM (MS-NLMP): users are the directory's accounts, the challenge comes from the world's chance, time from its clock.

pyspnego has messages and arithmetic; its own acceptor takes users from a file on disk, which a world does not have.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from spnego._ntlm_raw.crypto import compute_response_v1, hmac_md5, lmowfv1, ntowfv1, ntowfv2, rc4k
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

__all__ = ["TOKEN_LIMIT", "Acceptor", "is_negotiate"]

TOKEN_LIMIT = 16 * 1024
"""Octets of one message; ours."""
_SIGNATURE = b"NTLMSSP\0"
_V1_LENGTH = 24


def is_negotiate(token: bytes) -> bool:
    """Whether a token is the first of a handshake (MS-NLMP 2.2.1.1)."""
    return token[:12] == _SIGNATURE + b"\x01\0\0\0"


class Acceptor:
    """One handshake: `challenge` answers the first message, `named` and `check` look at the last one."""

    def __init__(self, world: World) -> None:
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
            expected, _, _ = compute_response_v1(said.flags, nt_hash, lmowfv1(account.password), self._nonce, client)
            return hmac.compare_digest(response, expected)
        shown = NTClientChallengeV2.unpack(response[16:])
        key = ntowfv2(said.user_name or "", nt_hash, said.domain_name)
        # What the client hashed is taken as it stands: packed again it might differ in padding (MS-NLMP 3.3.2).
        if not hmac.compare_digest(response[:16], hmac_md5(key, self._nonce + response[16:])):
            return False
        if not shown.av_pairs.get(AvId.flags, 0) & AvFlags.mic:
            return True
        signing = said.flags & (NegotiateFlags.sign | NegotiateFlags.seal)
        base = hmac_md5(key, response[:16])
        exported = (
            rc4k(base, said.encrypted_random_session_key or b"") if said.flags & NegotiateFlags.key_exch and signing else base
        )
        mic, said.mic = said.mic or b"", b"\0" * 16
        return hmac.compare_digest(mic, hmac_md5(exported, self._first + self._second + said.pack()))
