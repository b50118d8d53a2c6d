"""Looking for the stored email that an incoming one belongs to: what `rules.correlation` decides about (server-side-sync reference 4.6, 4.7).

Each method is at most one statement (smart matching: three, and one for each email that may be it), on an index, with a bound on what is read. A
method is asked only when those before it found nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from postroom.model import EmailHash, HashType, Lookup
from postroom.organization.message_values import IncomingMessage
from postroom.rules.conversation_index import base_hash, base_of
from postroom.rules.correlation import Candidate, Candidates, Correlation, correlate
from postroom.rules.smart_matching import SEARCHED_DAYS, agree, can_match, driving_words, hashed, rows_of, verified
from postroom.rules.tracking_token import find_tokens
from postroom.store import TABLES, Transaction
from postroom.store.prepared import Prepared
from postroom.store.rows import from_micros, to_micros
from postroom.store.statements import any_of, any_value

if TYPE_CHECKING:
    from postroom.organization.policies import Policies

__all__ = ["Related", "correlation_of", "forget_hashes", "related_to", "store_hashes"]

_NEWEST = 50
"""Emails that share a token, a conversation's hash or an id; only the most recent can count."""
_SHARING = 200
"""Emails that share a driving word; the most recent ones. Ours: an everyday word ("Hello") must not make a look-up long."""
_VERIFIED = 20
"""Emails whose hashes agree and whose texts are compared. Ours."""
_SUBJECT_LIMIT = 200
"""Characters of `email.subject`."""

_email, _hash, _party = TABLES["email"], TABLES["emailhash"], TABLES["activityparty"]
_RELATED = sa.select(
    _email.c.messageid,
    _email.c.directioncode,
    _email.c.activityid,
    _email.c.createdon,
    _email.c.ownerid,
    _email.c.ownerid_entity,
    _email.c.regardingobjectid,
    _email.c.regardingobjectid_entity,
)
_WITH_TOKEN = _RELATED.add_columns(_email.c.trackingtoken)
_WITH_INDEX = _RELATED.add_columns(_email.c.conversationindex)
_WITH_SUBJECT = _RELATED.add_columns(_email.c.subject)


def _newest(statement: Any, limit: int = _NEWEST) -> Any:
    return statement.order_by(_email.c.rownumber.desc()).limit(limit)


_BY_MESSAGE_IDS = Prepared(
    _RELATED.where(sa.or_(_email.c.messageid == sa.bindparam("p_id"), _email.c.messageid == sa.bindparam("p_reply")))
)
_BY_MESSAGE_ID = Prepared(_newest(_RELATED.where(_email.c.messageid == sa.bindparam("p_id"))))
_BY_ACTIVITY = Prepared(_RELATED.where(_email.c.activityid == sa.bindparam("p_id")))
_BY_INDEX = Prepared(_newest(_WITH_INDEX.where(_email.c.baseconversationindexhash == sa.bindparam("p_hash"))))
_DIALECTS = ("sqlite", "postgresql")
_BY_TOKENS = {
    one: Prepared(_newest(_WITH_TOKEN.where(any_of(_email.c.trackingtoken, "p_tokens", one)), _NEWEST * 4)) for one in _DIALECTS
}
_HOW_MANY = {
    "sqlite": Prepared(
        sa.text(
            "SELECT k.value, (SELECT count(*) FROM (SELECT 1 FROM emailhash AS h WHERE h.hash = k.value AND h.hashtype = :kind"
            " LIMIT :most) AS few) FROM json_each(:hashes) AS k"
        )
    ),
    "postgresql": Prepared(
        sa.text(
            "SELECT k.value, (SELECT count(*) FROM (SELECT 1 FROM emailhash AS h WHERE h.hash = k.value AND h.hashtype = :kind"
            " LIMIT :most) AS few) FROM unnest(CAST(:hashes AS integer[])) AS k(value)"
        )
    ),
}
"""In how many emails each word is, as far as it matters."""
_SHARE_A_WORD = Prepared(
    sa.select(_hash.c.activityid)
    .where(_hash.c.hash == sa.bindparam("p_hash"), _hash.c.hashtype == int(HashType.SUBJECT))
    .order_by(_hash.c.rownumber.desc())
    .limit(_SHARING)
)
_HASHES = {
    one: Prepared(
        sa.select(_hash.c.activityid, _hash.c.hash, _hash.c.hashtype).where(any_of(_hash.c.activityid, "p_ids", one)),
        plain=True,
    )
    for one in _DIALECTS
}
_AGREEING = {
    one: Prepared(
        _newest(
            _WITH_SUBJECT.where(any_of(_email.c.activityid, "p_ids", one), _email.c.createdon >= sa.bindparam("p_since")),
            _VERIFIED,
        )
    )
    for one in _DIALECTS
}
_ADDRESSES = Prepared(sa.select(_party.c.addressused).where(_party.c.activityid == sa.bindparam("p_id")))
_FORGET = Prepared(_hash.delete().where(_hash.c.activityid == sa.bindparam("p_id")))


@dataclass(frozen=True, slots=True)
class Related:
    """A stored email, and under which Message-ID. `incoming`: it was received."""

    message_id: str
    incoming: bool
    candidate: Candidate


def _row(row: Sequence[Any]) -> Related:
    message_id, outgoing, email_id, created, owner, owner_entity, regarding, regarding_entity, *_ = row
    return Related(
        str(message_id or ""),
        not outgoing,
        Candidate(
            str(email_id),
            from_micros(created),
            Lookup(str(owner_entity), str(owner)) if owner else None,
            Lookup(str(regarding_entity), str(regarding)) if regarding else None,
        ),
    )


def related_to(tx: Transaction, message_id: str, in_reply_to: str) -> list[Related]:
    """Stored emails with one of these Message-IDs: copies of the message, and what it answers. One statement."""
    if not message_id and not in_reply_to:
        return []
    asked = {"p_id": message_id, "p_reply": in_reply_to or message_id}
    return [_row(row) for row in tx.execute(_BY_MESSAGE_IDS, asked)]


def correlation_of(
    tx: Transaction, policies: Policies, message: IncomingMessage, related: Iterable[Related]
) -> Correlation | None:
    """`related` as `related_to` gave it."""
    look = _Look(tx, policies, message)
    answered = [one.candidate for one in related if message.in_reply_to and one.message_id == message.in_reply_to]
    return correlate(
        Candidates(
            x_header=look.x_header,
            in_reply_to=lambda: answered,
            references=look.references,
            token=look.token,
            conversation_index=look.conversation_index,
            smart=look.smart,
        ),
        policies.correlation,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """One method, one question. A stored copy of the message itself (internal mail is stored twice) is no answer to it, where nothing published says
    otherwise: our header, ConversationIndex and smart matching leave it out."""

    tx: Transaction
    policies: Policies
    message: IncomingMessage

    def _others(self, rows: Iterable[Sequence[Any]]) -> list[Candidate]:
        own = self.message.message_id
        return [one.candidate for row in rows if not own or (one := _row(row)).message_id != own]

    def x_header(self) -> list[Candidate]:
        """The outgoing email that our own header names."""
        if not self.message.email_id:
            return []
        rows = list(self.tx.execute(_BY_ACTIVITY, {"p_id": self.message.email_id}))
        return self._others(row for row in rows if not _row(row).incoming)

    def references(self) -> list[Candidate]:
        """By the last id of References; a message that names itself refers to nothing."""
        last = self.message.references[-1] if self.message.references else ""
        if not last or last == self.message.message_id:
            return []
        return [_row(row).candidate for row in self.tx.execute(_BY_MESSAGE_ID, {"p_id": last})]

    def token(self) -> list[Candidate]:
        """By the last token of the subject that is a stored email's."""
        tokens = find_tokens(self.message.subject, self.policies.token)
        if not tokens:
            return []
        found: dict[str, list[Candidate]] = {}
        for row in self.tx.execute(_BY_TOKENS[self.tx.dialect], {"p_tokens": any_value(tokens, self.tx.dialect)}):
            found.setdefault(str(row[-1]), []).append(_row(row).candidate)
        return next((found[token] for token in tokens if token in found), [])

    def conversation_index(self) -> list[Candidate]:
        """By the base's hash, then the whole base (suggested there)."""
        base = base_of(self.message.conversation_index)
        if base is None:
            return []
        rows = self.tx.execute(_BY_INDEX, {"p_hash": base_hash(base)})
        return self._others(row for row in rows if base_of(row[-1]) == base)

    def smart(self) -> list[Candidate]:
        """The most recent email whose words and people agree, in hashes and in texts."""
        policy, tx = self.policies.hashes, self.tx
        wanted = hashed(self.message.subject, self.message.everybody, policy)
        if not can_match(wanted, policy):
            return []
        asked = {"hashes": any_value(wanted.words, tx.dialect), "kind": int(HashType.SUBJECT), "most": _SHARING}
        stored = {row[0]: row[1] for row in tx.execute(_HOW_MANY[tx.dialect], asked)}
        sharing: dict[str, None] = {}
        for number in driving_words(wanted, policy, stored):
            sharing |= {str(row[0]): None for row in tx.execute(_SHARE_A_WORD, {"p_hash": number})}
        if not sharing:
            return []
        words: dict[str, set[int]] = {}
        people: dict[str, set[int]] = {}
        for email_id, number, kind in tx.execute(_HASHES[tx.dialect], {"p_ids": any_value(sharing, tx.dialect)}):
            (words if kind == HashType.SUBJECT else people).setdefault(email_id, set()).add(number)
        agreeing = [one for one in sharing if agree(wanted, words.get(one, ()), people.get(one, ()), policy)]
        if not agreeing:
            return []
        since = to_micros(tx.now() - SEARCHED_DAYS)
        for row in tx.execute(_AGREEING[tx.dialect], {"p_ids": any_value(agreeing, tx.dialect), "p_since": since}):
            for one in self._others([row]):
                addresses = [str(party[0]) for party in tx.execute(_ADDRESSES, {"p_id": one.email_id}) if party[0]]
                if verified(wanted, row[-1] or "", addresses, policy, cut=_SUBJECT_LIMIT):
                    return [one]
        return []


# -- hashes -----------------------------------------------------------------------------------------------------------


def store_hashes(tx: Transaction, policies: Policies, email_id: str, subject: str, addresses: Iterable[str]) -> None:
    """Keep the hashes of an email that is sent or tracked, in place of any it had. `addresses`: from, to, cc, bcc in this order. Does nothing where
    smart matching is off: it works for what comes after it was switched on (ours)."""
    if not policies.correlation.smart:
        return
    forget_hashes(tx, email_id)
    kept = hashed(subject[:_SUBJECT_LIMIT], addresses, policies.hashes)
    activity = Lookup("email", email_id)
    tx.create_many(
        [
            EmailHash(activityid=activity, hash=number, hashtype=HashType.SUBJECT if word else HashType.RECIPIENT)
            for word, number in rows_of(kept)
        ]
    )


def forget_hashes(tx: Transaction, email_id: str) -> None:
    """With the email."""
    tx.execute(_FORGET, {"p_id": email_id})
