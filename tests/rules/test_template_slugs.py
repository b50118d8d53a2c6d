"""Slugs of email templates (ours; the product's are style sheets)."""

from __future__ import annotations

import pytest

from postroom.rules.templates import fill

VALUES = {"contact": {"firstname": "Carl", "lastname": "<Birch>"}, "systemuser": {"fullname": "Ada"}}


@pytest.mark.parametrize(
    ("template", "html", "text"),
    [
        ("Dear {!contact:firstname;customer},", False, "Dear Carl,"),
        ("Dear {! Contact : LASTNAME ;customer}", False, "Dear <Birch>"),
        ("<p>{!contact:lastname;}</p>", True, "<p>&lt;Birch&gt;</p>"),
        ("{!contact:nickname;friend}", False, "friend"),
        ("{!lead:firstname;}", False, ""),
        ("{!contact:firstname}", False, "{!contact:firstname}"),
        ("{!contact:firstname;{!systemuser:fullname;}}", False, "{!contact:firstname;Ada}"),
        ("nothing", False, "nothing"),
    ],
)
def test_slugs(template: str, html: bool, text: str) -> None:
    assert fill(template, VALUES, html=html) == text


def test_a_value_is_never_a_template() -> None:
    assert fill("{!a:b;}", {"a": {"b": "{!a:b;}"}}) == "{!a:b;}"
