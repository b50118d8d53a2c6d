"""Email templates: the slugs of a template, filled in (server-side-sync reference 7.2: bulk mail). Pure.

A slug is `{!entity:attribute;text if empty}` [K], logical names in any case. The product keeps templates as XSL style sheets; ours are plain text or
HTML with slugs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

__all__ = ["fill"]

_SLUG = re.compile(r"\{!\s*(\w{1,100})\s*:\s*(\w{1,100})\s*;([^{}]{0,500})\}")

Values = Mapping[str, Mapping[str, str]]


def fill(template: str, values: Values, *, html: bool = False) -> str:
    """Every slug replaced by the attribute's value, or by its own text where there is none. `values`: entity -> attribute -> text, names in lower case.

    `html`: values (never the template itself) are escaped. What looks like a slug inside a value stays as it is.
    """

    def value_of(match: re.Match[str]) -> str:
        found = values.get(match[1].lower(), {}).get(match[2].lower(), "") or match[3].strip()
        return escape(found) if html else found

    return _SLUG.sub(value_of, template)
