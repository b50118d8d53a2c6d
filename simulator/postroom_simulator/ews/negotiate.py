"""SPNEGO around NTLM, the server's side (RFC 4178, MS-SPNG; ews reference 16): which mechanism, the tokens in their wrapping, and the check that
nobody changed the list of mechanisms on its way.

Kerberos is not there: clients that offer it first are told to go on with NTLM. Bare NTLM messages pass as they are, as Windows takes them.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from spnego._ntlm_raw.crypto import rc4init, sealkey, signkey
from spnego._ntlm_raw.security import sign
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, pack_mech_type_list, unpack_token

if TYPE_CHECKING:
    from postroom_simulator.ews.ntlm import Acceptor

__all__ = ["Negotiation", "Rejected"]

NTLM_OID = "1.3.6.1.4.1.311.2.2.10"
_SIGNATURE = b"NTLMSSP\0"


class Rejected(Exception):
    """No mechanism that both sides have, or a token that is none. `token`: what the client is told."""

    def __init__(self, token: bytes = b"") -> None:
        super().__init__("rejected")
        self.token = token


class Negotiation:
    """One negotiation: `unwrap` each token that comes, `wrap` what is answered."""

    def __init__(self) -> None:
        self._wrapped = False
        self._mechanisms: list[str] = []
        self._named = False
        self._mic: bytes | None = None

    def unwrap(self, token: bytes) -> bytes | None:
        """The NTLM message in a token; None where the client has not begun with NTLM yet. Raises Rejected."""
        if token.startswith(_SIGNATURE):
            if self._wrapped:
                raise Rejected
            return token
        try:
            found = unpack_token(token)
        except Exception:  # the parser has no one error of its own
            raise Rejected from None
        if isinstance(found, NegTokenInit) and not self._mechanisms:
            return self._begin(found)
        if isinstance(found, NegTokenResp) and self._wrapped:
            self._mic = found.mech_list_mic
            return found.response_token
        raise Rejected

    def _begin(self, found: NegTokenInit) -> bytes | None:
        self._wrapped = True
        self._mechanisms = found.mech_types
        if NTLM_OID not in found.mech_types:
            raise Rejected(NegTokenResp(neg_state=NegState.reject).pack())
        optimistic = found.mech_types[0] == NTLM_OID
        return found.mech_token if optimistic else None

    def wrap(self, message: bytes | None) -> bytes:
        """The token with a CHALLENGE_MESSAGE in it, or with nothing but the choice of NTLM."""
        if not self._wrapped:
            return message or b""
        first = self._mechanisms[0] == NTLM_OID
        state = NegState.accept_incomplete if first or self._named else NegState.request_mic
        named = None if self._named else NTLM_OID
        self._named = True
        return bytes(NegTokenResp(neg_state=state, supported_mech=named, response_token=message).pack())

    def finish(self, acceptor: Acceptor) -> bytes | None:
        """The last token, for the answer to a login that went well; None where there was no wrapping. Raises Rejected where the list of mechanisms is
        not the one that the client sent, or its check is missing though another mechanism was wanted first (RFC 4178 §5)."""
        if not self._wrapped:
            return None
        mic = None
        if self._mic is not None:
            if not hmac.compare_digest(self._mic, self._sign(acceptor, "initiate")):
                raise Rejected(NegTokenResp(neg_state=NegState.reject).pack())
            mic = self._sign(acceptor, "accept")
        elif self._mechanisms[0] != NTLM_OID:
            raise Rejected(NegTokenResp(neg_state=NegState.reject).pack())
        return bytes(NegTokenResp(neg_state=NegState.accept_complete, mech_list_mic=mic).pack())

    def _sign(self, acceptor: Acceptor, usage: str) -> bytes:
        flags, key = acceptor.flags, acceptor.session_key
        handle = rc4init(sealkey(flags, key, usage))
        return bytes(sign(flags, handle, signkey(flags, key, usage), 0, pack_mech_type_list(self._mechanisms)))
