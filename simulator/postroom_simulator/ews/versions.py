"""Versions of the schema and of the server (ews reference 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

__all__ = ["SERVERS", "Server", "Version"]


class Version(IntEnum):
    """Versions of the schema, in order. A request names one; an element exists from one on."""

    EXCHANGE_2007 = 0
    EXCHANGE_2007_SP1 = 1
    EXCHANGE_2010 = 2
    EXCHANGE_2010_SP1 = 3
    EXCHANGE_2010_SP2 = 4
    EXCHANGE_2013 = 5
    EXCHANGE_2013_SP1 = 6
    EXCHANGE_2016 = 7

    @classmethod
    def of_mark(cls, mark: str) -> Version:
        """From the notation of the schema files: "2010_SP1". Raises ValueError."""
        try:
            return cls[f"EXCHANGE_{mark}"]
        except KeyError:
            raise ValueError(f"there is no version {mark!r}") from None

    @property
    def named(self) -> str:
        """As requests name it: "Exchange2010_SP1"."""
        return f"Exchange{self.name.removeprefix('EXCHANGE_')}"


_NAMES: Mapping[str, Version] = MappingProxyType(
    {
        "Exchange2007": Version.EXCHANGE_2007,
        "Exchange2007_SP1": Version.EXCHANGE_2007_SP1,
        "Exchange2010": Version.EXCHANGE_2010,
        "Exchange2010_SP1": Version.EXCHANGE_2010_SP1,
        "Exchange2010_SP2": Version.EXCHANGE_2010_SP2,
        "Exchange2013": Version.EXCHANGE_2013,
        "Exchange2013_SP1": Version.EXCHANGE_2013_SP1,
        "Exchange2015": Version.EXCHANGE_2016,
        "Exchange2016": Version.EXCHANGE_2016,
        "V2015_10_05": Version.EXCHANGE_2016,
        "V2016_01_06": Version.EXCHANGE_2016,
        "V2016_04_13": Version.EXCHANGE_2016,
        "V2016_07_13": Version.EXCHANGE_2016,
        "V2016_10_10": Version.EXCHANGE_2016,
        "V2017_01_07": Version.EXCHANGE_2016,
        "V2017_04_14": Version.EXCHANGE_2016,
        "V2017_07_11": Version.EXCHANGE_2016,
    }
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server version, as a world's setting. `numbers`: major, minor, major build, minor build; `version`: how answers name the schema."""

    name: str
    numbers: tuple[int, int, int, int]
    version: str
    newest: Version

    def schema(self, name: str) -> Version | None:
        """The version that a request names; None: this server does not know it."""
        found = _NAMES.get(name)
        return found if found is not None and found <= self.newest else None


SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        one.name: one
        for one in (
            Server("2010_SP2", (14, 2, 390, 3), "Exchange2010_SP2", Version.EXCHANGE_2010_SP2),
            Server("2013", (15, 0, 516, 32), "Exchange2013", Version.EXCHANGE_2013),
            Server("2013_SP1", (15, 0, 1497, 48), "V2_23", Version.EXCHANGE_2013_SP1),
            Server("2016", (15, 1, 2507, 6), "V2017_07_11", Version.EXCHANGE_2016),
            Server("2019", (15, 2, 1544, 4), "V2017_07_11", Version.EXCHANGE_2016),
        )
    }
)
"""By name. Exchange 2013 SP1 calls its schema V2_x: any value other than Exchange20... keeps exchangelib at the version it asked."""
