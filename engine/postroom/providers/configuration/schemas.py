"""JSON Schema and XML Schema of a declaration. Both admit what the loader admits, but for letter case in words (the loader forgives it)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postroom.providers.configuration.declaration import Declared, declaration
from postroom.providers.configuration.settings import ProviderSettings, SystemConfiguration
from postroom.providers.configuration.tree import Node
from postroom.providers.configuration.writing import document

__all__ = ["json_schema", "narrowed", "router_xsd", "xsd"]


def json_schema(*models: type, title: str = "") -> dict[str, Any]:
    """Draft 2020-12, of an object whose properties are the elements (an array for a repeated one). Several models are one object."""
    declared = _united(models)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title or models[0].__name__,
        "type": "object",
        "properties": {one.name: _property(one) for one in declared},
        "required": [one.name for one in declared if one.required],
        "additionalProperties": False,
    }


def _property(declared: Declared) -> dict[str, Any]:
    schema: dict[str, Any] = dict(declared.kind.schema)
    if declared.many:
        schema = {"type": "array", "items": schema, "uniqueItems": True}
    elif not declared.required and not declared.secret and declared.default is not None:
        schema["default"] = _plain(declared.kind.render(declared.default), schema.get("type", ""))
    if declared.help:
        schema["description"] = declared.help
    if declared.deprecated:
        schema["deprecated"] = True
    return schema


def _plain(text: str, kind: str) -> str | int | float | bool:
    match kind:
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "boolean":
            return text == "true"
    return text


def narrowed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What the old JSON Schema of a model admits and the new does not (provider-kit CFG-14): elements gone, required ones more, types,
    bounds and words. [] when every old file still loads."""
    before, after = old["properties"], new["properties"]
    found = [f"{name} is gone" for name in before if name not in after]
    found += [f"{name} is required now" for name in new["required"] if name not in old["required"]]
    for name in before.keys() & after.keys():
        found += [f"{name}: {text}" for text in _narrower(before[name], after[name])]
    return sorted(found)


def _narrower(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    if old.get("type") == "array" and new.get("type") == "array":
        return _narrower(old["items"], new["items"])
    if old.get("type") != new.get("type") or old.get("format") != new.get("format"):
        return ["another type"]
    found = [f"no {word} any more" for word in old.get("enum", ()) if word not in new.get("enum", ())]
    for bound, sign in (("minimum", 1), ("maximum", -1), ("maxLength", -1)):
        if bound in new and (bound not in old or sign * new[bound] > sign * old[bound]):
            found.append(f"{bound} is stricter")
    return found


def _united(models: Sequence[type]) -> list[Declared]:
    """Elements of several models; one that several declare counts once, as the last (a provider's own, after the shared)."""
    names: dict[str, Declared] = {}
    for model in models:
        names.update({one.name: one for one in declaration(model)})
    return list(names.values())


def xsd(*models: type, root: str = "ProviderConfiguration") -> str:
    """An XML Schema 1.0 of one element. Without repeated elements it is exact; with them, XML Schema 1.0 cannot at once leave the order
    free and count, so it checks names and values only."""
    return document(
        Node(
            "xs:schema",
            attributes=_HEAD,
            children=[Node("xs:element", attributes={"name": root}, children=[_type(_united(models))])],
        )
    ).decode()


def router_xsd(*configs: type) -> str:
    """An XML Schema 1.0 of the whole file, for the providers that have these configurations."""
    united: dict[str, list[Declared]] = {}
    for model in (ProviderSettings, *configs):
        for one in declaration(model):
            united.setdefault(one.name, []).append(one)
    provider = _choice([_element(ones[0], plain=any(o.kind.xsd != ones[0].kind.xsd for o in ones)) for ones in united.values()])
    overrides = _choice([_element(ones[0], plain=False) for ones in united.values() if ones[0].overridable])
    system = _type(declaration(SystemConfiguration))
    system.children[0].children.append(
        Node("xs:element", attributes={"name": "ProviderOverrides", "minOccurs": "0"}, children=[overrides])
    )
    sequence = Node("xs:sequence")
    for name, kind, more in (("SystemConfiguration", system, {}), ("ProviderConfiguration", provider, _ANY)):
        sequence.children.append(Node("xs:element", attributes={"name": name, **more}, children=[kind]))
    root = Node("xs:element", attributes={"name": "Configuration"}, children=[Node("xs:complexType", children=[sequence])])
    return document(Node("xs:schema", attributes=_HEAD, children=[root])).decode()


_HEAD = {"xmlns:xs": "http://www.w3.org/2001/XMLSchema", "elementFormDefault": "qualified"}
_ANY = {"minOccurs": "0", "maxOccurs": "unbounded"}


def _type(declared: Sequence[Declared]) -> Node:
    if any(one.many for one in declared):
        return _choice([_element(one) for one in declared])
    group = Node("xs:all")
    for one in declared:
        node = _element(one)
        node.attributes["minOccurs"] = "1" if one.required else "0"
        group.children.append(node)
    return Node("xs:complexType", children=[group])


def _choice(elements: list[Node]) -> Node:
    return Node("xs:complexType", children=[Node("xs:choice", attributes=dict(_ANY), children=elements)])


def _element(declared: Declared, *, plain: bool = False) -> Node:
    base, facets = ("xs:string", ()) if plain else declared.kind.xsd
    restriction = Node("xs:restriction", attributes={"base": base})
    restriction.children = [Node(f"xs:{facet}", attributes={"value": value}) for facet, value in facets]
    return Node("xs:element", attributes={"name": declared.name}, children=[Node("xs:simpleType", children=[restriction])])
