"""Who logs in: the mechanisms of AUTH as exchanges, for every server that has AUTH (RFC 4954 for SMTP, RFC 5034 for POP3).

A mechanism is a generator: it yields challenges, is sent the client's answers (both without base64), and returns the account or raises
`Failed`. It knows no wire, no reply and no journal; what is true it asks an `Examiner`. A new one is a function and a row of
`MECHANISMS`. `Exchange` is one at work on one connection; the servers turn its errors into their replies.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postroom_simulator.offers import Service, fakes, hides
from postroom_simulator.tokens import TokenFailure

if TYPE_CHECKING:
    from postroom_simulator.directory import Account
    from postroom_simulator.world import World

__all__ = [
    "MECHANISMS",
    "Cancelled",
    "Examiner",
    "Exchange",
    "Failed",
    "Malformed",
    "Mechanism",
    "SaslError",
    "Unoffered",
    "check_apop",
    "decode_base64",
    "timestamp",
]


class SaslError(Exception):
    """An exchange ends without an account.

    SaslError
    ├── Malformed   the client does not speak the mechanism, or not base64
    ├── Cancelled   the client said "*"
    ├── Unoffered   the way to log in is taken back for this account: it is not there
    └── Failed      the credentials are refused; `why` is for the journal, and never said to the client

    The texts are fit to be said and hold nothing of what the client said."""


class Malformed(SaslError):
    pass


class Cancelled(SaslError):
    pass


class Unoffered(SaslError):
    pass


class Failed(SaslError):
    """`token` is the reason where a token was refused; `explanation` a challenge that comes before the refusal."""

    def __init__(self, why: str = "credentials", token: TokenFailure | None = None) -> None:
        super().__init__("authentication failed")
        self.why = why
        self.token = token
        self.explanation: bytes | None = None

    @property
    def misplaced(self) -> bool:
        """A good token, but not good here: some servers tell that from wrong credentials by the enhanced code (535 5.7.3)."""
        return self.token in _MISPLACED


_MISPLACED = frozenset({TokenFailure.WRONG_AUDIENCE, TokenFailure.WRONG_SCOPE, TokenFailure.ACCOUNT_DISABLED})


# -- what is true


class Examiner:
    """Tests what somebody claims who logs in to `protocol` by `way`: "USER", "APOP", or a mechanism.

    Ways that are taken back (`offers`) are refused here: hidden ones by `Unoffered`, false ones by `Failed` whatever was claimed.
    """

    def __init__(self, world: World, protocol: str, service: Service, way: str) -> None:
        self._world = world
        self._protocol = protocol
        self._service = service
        self._ways = (way, _UMBRELLA[protocol]) if way in MECHANISMS else (way,)

    def find(self, login: str | None) -> Account | None:
        """The account that a user name means, before anything was proved."""
        return self._world.directory.find_login(login) if login else None

    def find_owner(self, token: str) -> Account | None:
        return self._world.tokens.owner(token)

    def admit(self, account: Account | None) -> None:
        """Raises Unoffered or Failed where the way is taken back for this account, or for everybody."""
        for way in self._ways:
            if hides(self._service, account, self._protocol, way):
                raise Unoffered("unknown mechanism")
            if fakes(self._service, account, self._protocol, way):
                raise Failed("offered falsely")

    def password(self, login: str, password: str) -> Account:
        """Raises Failed, Unoffered."""
        self.admit(self.find(login))
        account = self._world.authenticate(login, password)
        if account is None:
            raise Failed
        return account

    def digest(self, login: str, given: str, make: Callable[[bytes], str]) -> Account:
        """Check what a client made of its password; `make` makes it of the right one. Takes the same time for unknown accounts.
        Raises Failed, Unoffered."""
        account = self.find(login)
        self.admit(account)
        wanted = make((account.password if account is not None else "").encode("utf-8", "surrogatepass"))
        right = hmac.compare_digest(wanted.encode("ascii"), given.encode("ascii"))
        if self._world.accept_anyone:
            # The password is not to be had from a digest: an account that comes into being here has one that nobody knows.
            account = self._world.authenticate(login, self._world.ids.token(32))
        elif not right or (account is not None and account.disabled):
            account = None
        if account is None:
            raise Failed
        return account

    def token(self, login: str, token: str) -> Account:
        """`login` "": whoever has the token. Raises Failed, Unoffered."""
        self.admit(self.find(login) or self.find_owner(token))
        if self._world.accept_anyone and login and token:
            found: Account | TokenFailure | None = self._world.authenticate(login, self._world.ids.token(32))
        else:
            tokens = self._world.tokens
            found = tokens.verify(token, tokens.audience, tokens.scopes[self._protocol], login or None)
        if found is None:
            raise Failed
        if isinstance(found, TokenFailure):
            raise Failed(found.value, found)
        return found

    def challenge(self) -> bytes:
        return timestamp(self._world)

    def needed_scope(self) -> str:
        """As providers name it: with the audience."""
        tokens = self._world.tokens
        return f"{tokens.audience}/{tokens.scopes[self._protocol]}"


_UMBRELLA = {"pop3": "SASL", "smtp": "AUTH"}
"""The announcement that all mechanisms stand under."""


def timestamp(world: World) -> bytes:
    """`<number.chance.seconds@host>`: another one each time (RFC 1939 §7, RFC 2195 §2), by the world's chance and clock."""
    number, chance = world.ids.number("timestamp"), world.ids.token(12)
    return f"<{number}.{chance}.{int(world.clock.now().timestamp())}@{world.hostname}>".encode("ascii", "replace")


# -- mechanisms

Steps = Generator[bytes, bytes, "Account"]


def _plain(examiner: Examiner) -> Steps:
    """PLAIN (RFC 4616 §2): authzid NUL authcid NUL password, in UTF-8. Acting for somebody else is not offered."""
    parts = (yield b"").split(b"\0")
    if len(parts) != 3 or not parts[1]:
        raise Malformed("malformed PLAIN response")
    authzid, login, password = (_text(part, "PLAIN") for part in parts)
    if not password:
        raise Failed
    account = examiner.password(login, password)
    if authzid and examiner.find(authzid) is not account:
        raise Failed("authorization id of somebody else")
    return account


def _login(examiner: Examiner) -> Steps:
    """No RFC has it: two prompts. Some clients give the user name with the command (mail-protocol-pitfalls 3.7)."""
    login = _text((yield b"Username:"), "LOGIN")
    password = _text((yield b"Password:"), "LOGIN")
    if not login or not password:
        raise Failed
    return examiner.password(login, password)


_CRAM_MD5 = re.compile(rb"(.+) ([0-9a-f]{32})", re.DOTALL)


def _cram_md5(examiner: Examiner) -> Steps:
    """CRAM-MD5 (RFC 2195 §2): the user name and the keyed digest of the challenge. The name may hold blanks, the digest is the end."""
    challenge = examiner.challenge()
    match = _CRAM_MD5.fullmatch((yield challenge))
    if match is None:
        raise Malformed("malformed CRAM-MD5 response")
    login = _text(match[1], "CRAM-MD5")
    return examiner.digest(login, match[2].decode("ascii"), lambda key: hmac.new(key, challenge, "md5").hexdigest())


def check_apop(examiner: Examiner, login: str, said: bytes, digest: str) -> Account:
    """APOP (RFC 1939 §7): the MD5 of the timestamp that was `said`, with its brackets, and the password. Raises as `Examiner.digest`;
    Malformed for what is no digest."""
    if re.fullmatch("[0-9a-f]{32}", digest) is None:
        raise Malformed("malformed digest")
    return examiner.digest(login, digest, lambda key: hashlib.md5(said + key, usedforsecurity=False).hexdigest())


_XOAUTH2 = re.compile(rb"user=([^\x01]*)\x01auth=([^\x01]*)\x01\x01")


def _xoauth2(examiner: Examiner) -> Steps:
    """XOAUTH2 (published by Google and Microsoft): user and token in one response. A refused token is explained in a challenge,
    which the client answers with nothing; then comes the refusal."""
    match = _XOAUTH2.fullmatch((yield b""))
    if match is None:
        raise Malformed("malformed XOAUTH2 response")
    login, token = _text(match[1], "XOAUTH2"), _bearer(match[2])
    try:
        if not login:
            raise Failed
        return examiner.token(login, token)
    except Failed as failure:
        status = "400" if failure.token in (TokenFailure.UNKNOWN, TokenFailure.WRONG_USER) else "401"
        failure.explanation = _json(status=status, schemes="Bearer", scope=examiner.needed_scope())
        raise


_OAUTHBEARER = re.compile(rb"(n|y|p=[A-Za-z0-9.-]+),(?:a=([^,\x00\x01]+))?,\x01((?:[A-Za-z]+=[\t\r\n\x20-\x7e]*\x01)*)\x01")


def _oauthbearer(examiner: Examiner) -> Steps:
    """OAUTHBEARER (RFC 7628 §3.1): gs2 header, then key=value pairs, each ended by ^A, and one ^A more. A refused token is explained in a
    challenge, which the client answers with ^A (§3.2.3); then comes the refusal. Host and port are not looked at."""
    match = _OAUTHBEARER.fullmatch((yield b""))
    if match is None:
        raise Malformed("malformed OAUTHBEARER response")
    if match[1].startswith(b"p"):
        raise Malformed("no channel binding here")
    pairs = [pair.split(b"=", 1) for pair in match[3].split(b"\x01")[:-1]]
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Malformed("malformed OAUTHBEARER response")
    login, token = _saslname(match[2] or b""), _bearer(values.get(b"auth", b""))
    try:
        return examiner.token(login, token)
    except Failed as failure:
        status = "insufficient_scope" if failure.token is TokenFailure.WRONG_SCOPE else "invalid_token"
        failure.explanation = _json(status=status, scope=examiner.needed_scope())
        raise


def _text(octets: bytes, mechanism: str) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"malformed {mechanism} response") from None


def _bearer(value: bytes) -> str:
    """The token of `Bearer TOKEN` (RFC 6750 §2.1), "" for anything else."""
    scheme, _, token = value.partition(b" ")
    return token.strip(b" ").decode("utf-8", "replace") if scheme.lower() == b"bearer" else ""


def _saslname(octets: bytes) -> str:
    """RFC 5801 §4: "=2C" is a comma, "=3D" an equals sign."""
    if re.search(rb"=(?!2C|3D)", octets):
        raise Malformed("malformed OAUTHBEARER response")
    return _text(octets, "OAUTHBEARER").replace("=2C", ",").replace("=3D", "=")


def _json(**values: str) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode("ascii")


# -- whom a response names, before anything is done about it


def _named_by_plain(examiner: Examiner, response: bytes) -> Account | None:
    parts = response.split(b"\0")
    return examiner.find(parts[1].decode("utf-8", "replace")) if len(parts) == 3 else None


def _named_by_login(examiner: Examiner, response: bytes) -> Account | None:
    return examiner.find(response.decode("utf-8", "replace"))


def _named_by_cram_md5(examiner: Examiner, response: bytes) -> Account | None:
    return examiner.find(response.rpartition(b" ")[0].decode("utf-8", "replace"))


def _named_by_xoauth2(examiner: Examiner, response: bytes) -> Account | None:
    match = _XOAUTH2.fullmatch(response)
    return examiner.find(match[1].decode("utf-8", "replace")) if match is not None else None


def _named_by_oauthbearer(examiner: Examiner, response: bytes) -> Account | None:
    match = _OAUTHBEARER.fullmatch(response)
    if match is None:
        return None
    if match[2]:
        try:
            return examiner.find(_saslname(match[2]))
        except Malformed:
            return None
    values = dict(pair.split(b"=", 1) for pair in match[3].split(b"\x01")[:-1])
    return examiner.find_owner(_bearer(values.get(b"auth", b"")))


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A row of the table.

    names            the account that a response names, right or wrong: whose step this is has to be known before it is taken
    names_first      the response that names somebody does no more than that: whose exchange it is, is known from the next one on
    initial_response may come with the command. Of LOGIN it is the user name
    plaintext        whoever listens can log in afterwards
    """

    start: Callable[[Examiner], Steps]
    names: Callable[[Examiner, bytes], Account | None]
    names_first: bool = False
    initial_response: bool = True
    plaintext: bool = True


MECHANISMS: dict[str, Mechanism] = {
    "PLAIN": Mechanism(_plain, _named_by_plain),
    "LOGIN": Mechanism(_login, _named_by_login, names_first=True),
    "CRAM-MD5": Mechanism(_cram_md5, _named_by_cram_md5, initial_response=False, plaintext=False),
    "XOAUTH2": Mechanism(_xoauth2, _named_by_xoauth2),
    "OAUTHBEARER": Mechanism(_oauthbearer, _named_by_oauthbearer),
}


# -- one at work


class Exchange:
    """One AUTH, from the command to an account or a `SaslError`. Lines are given and challenges returned as they cross the wire."""

    def __init__(self, mechanism: str, examiner: Examiner) -> None:
        """`mechanism` is a key of MECHANISMS."""
        self.name = mechanism
        self.mechanism = MECHANISMS[mechanism]
        self.account: Account | None = None
        """Who the client says to be, once it has."""
        self.refused: Failed | None = None
        """The end is known, and the client is told why before it is told so. Many hang up here."""
        self._asked = False  # the first response names, if any does
        self._examiner = examiner
        self._steps = self.mechanism.start(examiner)

    def names(self, line: bytes | None) -> Account | None:
        """The account that a line names, or that one before it did. Does nothing."""
        if self._asked or line is None or self.mechanism.names_first:
            return self.account
        return self._named_by(line)

    def _named_by(self, line: bytes) -> Account | None:
        try:
            return self.mechanism.names(self._examiner, _decode_initial(line))
        except Malformed:
            return None

    def begin(self, initial: bytes | None) -> bytes | Account:
        """The first challenge, or the account where the initial response says it all. None: there was none; b"=": an empty one."""
        if initial is None:
            return b64encode(next(self._steps))
        if not self.mechanism.initial_response:
            raise Malformed("this mechanism takes no initial response")  # RFC 4954 §4, RFC 5034 §4
        response = _decode_initial(initial)
        next(self._steps)  # the challenge that an initial response answers is never said
        return self._go_on(initial, response)

    def answer(self, line: bytes) -> bytes | Account:
        """What the client's answer leads to."""
        if line == b"*":
            raise Cancelled("authentication cancelled")
        response = decode_base64(line)
        if self.refused is not None:  # whatever the answer is
            raise self.refused
        return self._go_on(line, response)

    def _go_on(self, line: bytes, response: bytes) -> bytes | Account:
        if not self._asked:
            self._asked = True
            self.account = self._named_by(line)
        try:
            return b64encode(self._steps.send(response))
        except StopIteration as end:
            account: Account = end.value
            self.account = account
            return account
        except Failed as failed:
            if failed.explanation is None:
                raise
            self.refused = failed
            return b64encode(failed.explanation)


_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def decode_base64(octets: bytes) -> bytes:
    """Strict base64 (RFC 4648 §4, no blanks, padded). Raises Malformed."""
    if _BASE64.fullmatch(octets) is None:
        raise Malformed("malformed base64")
    try:
        return b64decode(octets, validate=True)
    except binascii.Error:
        raise Malformed("malformed base64") from None


def _decode_initial(octets: bytes) -> bytes:
    return b"" if octets == b"=" else decode_base64(octets)
