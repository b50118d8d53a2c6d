"""Schemas, tables, help and page come from the declarations, and say what the loader does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree

from configuration.router_files import FeedConfig, taken, valid
from postroom.providers.builtin.pop3 import Pop3Config
from postroom.providers.builtin.smtp import SmtpConfig
from postroom.providers.configuration import (
    Code,
    ProviderSettings,
    Secret,
    declaration,
    element,
    help_text,
    json_schema,
    markdown,
    narrowed,
    router_xsd,
    xsd,
)
from postroom.providers.configuration.pages import router_page

PAGE = Path(__file__).parents[2] / "docs" / "router-configuration.md"
CHANGES = [
    ("<EmailPort>25<", "<EmailPort>x<"),
    ("<EmailPort>25<", "<EmailPort>70000<"),
    ("<EmailTls>none<", "<EmailTls>never<"),
    ("<MaxThreads>20<", "<MaxThreads>0<"),
    ("<MaxThreads>", "<MaxTreads>1</MaxTreads><MaxThreads>"),
    ("<MaxThreads>", "<MaxThreads>1</MaxThreads><MaxThreads>"),
    ("<Tag>a<", "<Tag>aaaaaaaaaaaaaaaaaaaaaaaaa<"),
    ("<Tag>a<", "<Loudness>1</Loudness><Tag>a<"),
    ("<BatchSize>9<", "<BatchSize>many<"),
    ("</SystemConfiguration>", "</SystemConfiguration><SystemConfiguration/>"),
    ("<CrmServerUrl>", "<MoveEmails>TRUE</MoveEmails><CrmServerUrl>"),
]


def _schema(text: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(text.encode()))


def test_the_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text() == router_page(), (
        "write it anew: python -m postroom.providers.configuration > docs/router-configuration.md"
    )


def test_the_schema_of_the_file_agrees_with_the_loader() -> None:
    schema = _schema(router_xsd(Pop3Config, SmtpConfig, FeedConfig))
    schema.assertValid(etree.fromstring(valid().encode()))
    for old, new in CHANGES:
        text = valid().replace(old, new)
        file, _ = taken(text, strict=True)
        assert schema.validate(etree.fromstring(text.encode())) is (file is not None), (old, new)


def test_the_schema_of_one_model() -> None:
    schema = _schema(xsd(SmtpConfig))
    inner = "<EmailPort>25</EmailPort><EmailServer>a</EmailServer>"
    assert schema.validate(etree.fromstring(f"<ProviderConfiguration>{inner}</ProviderConfiguration>"))
    for wrong in ("<EmailServer>a</EmailServer>", inner + "<EmailPort>25</EmailPort>", inner + "<Other/>"):
        assert not schema.validate(etree.fromstring(f"<ProviderConfiguration>{wrong}</ProviderConfiguration>"))
    _schema(xsd(ProviderSettings, Pop3Config))


def test_json_schema() -> None:
    schema = json_schema(ProviderSettings, FeedConfig, title="feed")
    assert schema["required"] == ["ProviderClassName", "FeedUrl"]
    assert schema["properties"]["BatchSize"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 7}
    assert schema["properties"]["FeedToken"]["writeOnly"] is True
    assert "default" not in schema["properties"]["FeedToken"]
    assert schema["properties"]["UserId"]["items"]["format"] == "uuid"
    assert schema["properties"]["Loud"] == {"type": "boolean", "default": False, "deprecated": True}
    assert schema["properties"]["Share"]["default"] == 0.5
    assert set(schema["properties"]) == {one.name for model in (ProviderSettings, FeedConfig) for one in declaration(model)}


@dataclass(frozen=True)
class Narrower:
    url: str = element("FeedUrl", length=10)
    token: Secret = element("FeedToken", secret=True)
    pause: int = element("Pause", default=500, minimum=200, maximum=5000)
    share: int = element("Share", default=1)


def test_what_a_later_release_no_longer_admits() -> None:
    schema = json_schema(FeedConfig)
    assert narrowed(schema, schema) == []
    found = narrowed(schema, json_schema(Narrower))
    for text in ("BatchSize is gone", "FeedToken is required now", "FeedUrl: maxLength is stricter", "Pause: minimum is stricter", "Share: another type"):  # fmt: skip
        assert text in found


@pytest.mark.parametrize("model", [Pop3Config, SmtpConfig, FeedConfig, ProviderSettings])
def test_tables_and_help_name_every_element(model: type) -> None:
    table, words = markdown(model), help_text(model)
    assert len(table.splitlines()) == 2 + len(declaration(model))
    for one in declaration(model):
        assert f"`{one.name}`" in table
        assert f"  {one.name}  (" in words


def test_every_code_is_explained() -> None:
    assert all(f"| `{code}` |" in router_page() for code in Code)
