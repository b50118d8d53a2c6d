"""Smart matching: an email answers another because they share words of the subject and people (server-side-sync reference 4.6).

Two sets of hashes are kept for an email that is sent or tracked: of the words of its subject, and of the addresses of its sender and recipients. A
hash is CRC-32 of the case-folded text, as a signed number: any stable hash will do (reference 12.4), and equality with the product is not
promised. Two texts may share a hash, so what the hashes found is compared with the texts before it counts: `verified`.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from postroom.errors import InvalidValue
from postroom.model.addresses import address_key
from postroom.model.organization_row import HASH_FILTER_KEYWORDS
from postroom.rules.keyword_filter import compile_filter

__all__ = [
    "SEARCHED_DAYS",
    "HashPolicy",
    "Hashed",
    "agree",
    "can_match",
    "driving_words",
    "hash_of",
    "hashed",
    "rows_of",
    "verified",
    "words_of",
]

SEARCHED_DAYS = timedelta(days=90)
"""Only emails of the last 90 days are searched: published for heavy load, here always, so that a look-up costs the same every day (ours)."""
SUBJECT_LIMIT = 512
"""Characters of a subject that are looked at. Ours."""


@dataclass(frozen=True, slots=True)
class HashPolicy:
    """The settings of reference 4.6: HashFilterKeywords, HashMaxCount, HashDeltaSubjectCount, HashMinAddressCount."""

    keywords: str = HASH_FILTER_KEYWORDS
    maximum: int = 20
    delta: int = 0
    addresses: int = 2


@dataclass(frozen=True, slots=True)
class Hashed:
    """What is known of one email: hash -> the text it was made of, for words and for addresses."""

    words: dict[int, str]
    addresses: dict[int, str]


def hash_of(text: str) -> int:
    """A signed 32-bit number, the same for texts that differ in case only."""
    number = zlib.crc32(text.casefold().encode("utf-8", "surrogatepass"))
    return number - (1 << 32) if number >= 1 << 31 else number


def words_of(subject: str, policy: HashPolicy) -> list[str]:
    """The words of a subject without what HashFilterKeywords deletes, case-folded, the first `maximum`. Without a usable filter nothing is
    deleted."""
    subject = subject[:SUBJECT_LIMIT]
    if policy.keywords:
        try:
            subject = compile_filter(policy.keywords).delete(subject)
        except InvalidValue:  # a row written by somebody else: better an unfiltered subject than no mail
            pass
    return [word.casefold() for word in subject.split()][: policy.maximum]


def hashed(subject: str, addresses: Iterable[str], policy: HashPolicy) -> Hashed:
    """Both sets of one email: from, to, cc and bcc in this order, distinct, the first `maximum`."""
    people = list(dict.fromkeys(key for one in addresses if (key := address_key(one))))[: policy.maximum]
    return Hashed({hash_of(word): word for word in words_of(subject, policy)}, {hash_of(one): one for one in people})


def can_match(wanted: Hashed, policy: HashPolicy) -> bool:
    """Whether any stored email could agree; where all could (fewer words than may differ), there is no smart match (ours)."""
    return len(wanted.words) > policy.delta and len(wanted.addresses) >= policy.addresses


def driving_words(wanted: Hashed, policy: HashPolicy, stored: Mapping[int, int]) -> tuple[int, ...]:
    """Hashes of which every email that agrees has at least one: `delta` + 1 of them, the rarest. `stored`: in how many stored emails each is."""
    if not can_match(wanted, policy):
        return ()
    rarest = sorted(wanted.words, key=lambda number: (stored.get(number, 0), number))
    return tuple(rarest[: policy.delta + 1])


def agree(wanted: Hashed, words: Collection[int], addresses: Collection[int], policy: HashPolicy) -> bool:
    """Whether a stored email's hashes agree: all words but `delta` on either side, and enough people. The reference's suggestion: the published
    text compares counts only."""
    if not wanted.words or not words:
        return False  # an empty subject matches nothing: suggested
    common = len(wanted.words.keys() & set(words))
    people = len(wanted.addresses.keys() & set(addresses))
    return common >= max(len(wanted.words), len(words)) - policy.delta and people >= policy.addresses


def verified(wanted: Hashed, subject: str, addresses: Iterable[str], policy: HashPolicy, *, cut: int) -> bool:
    """Whether the texts agree as the hashes did. `subject`: as stored, which may have been cut at `cut` characters: words beyond are taken on trust."""
    there = {word.casefold() for word in subject.split()}
    missing = sum(word not in there for word in wanted.words.values())
    people = {address_key(one) for one in addresses}
    common = sum(one in people for one in wanted.addresses.values())
    return (missing <= policy.delta or len(subject) >= cut) and common >= policy.addresses


def rows_of(one: Hashed) -> Iterator[tuple[bool, int]]:
    """(is it a word, hash) of each hash to be stored."""
    yield from ((True, number) for number in one.words)
    yield from ((False, number) for number in one.addresses)
