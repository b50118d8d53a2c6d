"""What the tests of configuration share: a valid file, a provider of our own, names that never import anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.errors import ConfigError
from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.providers.builtin.smtp import SmtpProvider
from postroom.providers.configuration import Millis, Problem, RouterFile, Secret, element, read
from postroom.providers.contract import Direction, ProviderSpec
from postroom.providers.registry import ALIASES

ANN, BEN, QUEUE = (f"{n}a6c6b4e-0f39-4a0a-8f43-5a3d1b1c2d3e" for n in "123")
PASSWORD = "Xyzzy-Plugh-42"


@dataclass(frozen=True)
class FeedConfig:
    """One field of every type that no built-in provider has."""

    url: str = element("FeedUrl", identity="feed", help="where the feed is")
    token: Secret = element("FeedToken", default=Secret(""), secret=True)
    pause: Millis = element("Pause", default=Millis(500), minimum=100, maximum=5000)
    share: float = element("Share", default=0.5, minimum=0, maximum=1)
    limit: int | None = element("Limit", default=None, minimum=1)
    loud: bool = element("Loud", default=False, deprecated="Louder")
    tags: tuple[str, ...] = element("Tag", many=True, length=20)
    ids: tuple[UUID, ...] = element("UserId", many=True)
    batch: int = element("BatchSize", default=7, minimum=1, maximum=100)

    def __post_init__(self) -> None:
        if self.limit == 13:
            raise ValueError(f"13 is unlucky, and so is {self.token.reveal()}")


FEED: ProviderSpec[Any, Any] = ProviderSpec("feed", Direction.INBOUND, FeedConfig, object)


def resolve(class_name: str, assembly: str) -> ProviderSpec[Any, Any]:
    """Three providers, and no import whatever the name."""
    known = {"pop3": Pop3Provider.spec, "smtp": SmtpProvider.spec, "feed": FEED}
    name = ALIASES.get(class_name, class_name)
    if name not in known:
        raise ConfigError(f"no provider is called {name!r}")
    return known[name]


def valid() -> str:
    """A file without problems; each element in a line of its own."""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Configuration>
  <!-- the service -->
  <SystemConfiguration>
    <MaxThreads>20</MaxThreads>
    <LogLevel>2</LogLevel>
    <ProviderOverrides>
      <BatchSize>9</BatchSize>
    </ProviderOverrides>
  </SystemConfiguration>
  <ProviderConfiguration>
    <ProviderClassName>Microsoft.Crm.Tools.Email.Providers.Pop3PollingMailboxProvider</ProviderClassName>
    <Direction>Inbound</Direction>
    <CrmServerUrl>https://crm.example.com/contoso</CrmServerUrl>
    <EmailServer>pop.example.com</EmailServer>
    <EmailPort>995</EmailPort>
    <EmailUser>ann</EmailUser>
    <EmailPassword>{PASSWORD}</EmailPassword>
    <EmailAuthMode>ClearText</EmailAuthMode>
    <UserId>{ANN}</UserId>
    <UserId>{BEN}</UserId>
    <QueueId>{QUEUE}</QueueId>
  </ProviderConfiguration>
  <ProviderConfiguration>
    <ProviderClassName>smtp</ProviderClassName>
    <EmailServer>relay.example.com</EmailServer>
    <EmailPort>25</EmailPort>
    <EmailTls>none</EmailTls>
    <FinalDotTimeout>90000</FinalDotTimeout>
    <BatchSize>3</BatchSize>
  </ProviderConfiguration>
  <ProviderConfiguration>
    <ProviderClassName>feed</ProviderClassName>
    <FeedUrl>https://example.com/feed</FeedUrl>
    <Tag>a</Tag>
    <Tag>b</Tag>
  </ProviderConfiguration>
</Configuration>
"""


def taken(text: str | bytes, *, strict: bool = False) -> tuple[RouterFile | None, list[Problem]]:
    return read(text.encode() if isinstance(text, str) else text, strict=strict, resolve=resolve)


def good(text: str | bytes) -> RouterFile:
    """The file, without a single problem."""
    file, problems = taken(text, strict=True)
    assert file is not None, problems
    assert not problems
    return file
