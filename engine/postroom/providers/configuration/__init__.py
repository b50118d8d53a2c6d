"""The Email Router's configuration: one declaration gives loader, writer, schemas, tables and identity.

What a provider needs (`element`, `Millis`, `Secret`) is here at once; the rest is imported when it is asked for, because the
providers that declare elements are themselves what a file is read with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from postroom.model.secret import Secret
from postroom.providers.configuration.declaration import Declared, credential_like, declaration, element, identity
from postroom.providers.configuration.values import Millis

if TYPE_CHECKING:
    from postroom.providers.configuration.changes import Changes, diff
    from postroom.providers.configuration.loading import Layer, Layers, Origin, Override, Precedence, from_mapping, load
    from postroom.providers.configuration.pages import help_text, markdown
    from postroom.providers.configuration.problems import Code, Problem
    from postroom.providers.configuration.router_file import ProviderEntry, RouterFile, from_registry, read, validate, write
    from postroom.providers.configuration.schemas import json_schema, narrowed, router_xsd, xsd
    from postroom.providers.configuration.settings import (
        AuthMode,
        FileDirection,
        Isolation,
        LogDetail,
        LogScale,
        ProviderSettings,
        SystemConfiguration,
    )

__all__ = [
    "AuthMode",
    "Changes",
    "Code",
    "Declared",
    "FileDirection",
    "Isolation",
    "Layer",
    "Layers",
    "LogDetail",
    "LogScale",
    "Millis",
    "Origin",
    "Override",
    "Precedence",
    "Problem",
    "ProviderEntry",
    "ProviderSettings",
    "RouterFile",
    "Secret",
    "SystemConfiguration",
    "credential_like",
    "declaration",
    "diff",
    "element",
    "from_mapping",
    "from_registry",
    "help_text",
    "identity",
    "json_schema",
    "load",
    "markdown",
    "narrowed",
    "read",
    "router_xsd",
    "validate",
    "write",
    "xsd",
]

_ROOMS = {
    "changes": ("Changes", "diff"),
    "loading": ("Layer", "Layers", "Origin", "Override", "Precedence", "from_mapping", "load"),
    "pages": ("help_text", "markdown"),
    "problems": ("Code", "Problem"),
    "router_file": ("ProviderEntry", "RouterFile", "from_registry", "read", "validate", "write"),
    "schemas": ("json_schema", "narrowed", "router_xsd", "xsd"),
    "settings": ("AuthMode", "FileDirection", "Isolation", "LogDetail", "LogScale", "ProviderSettings", "SystemConfiguration"),
}
_ROOM = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
