"""Which properties an answer has: base shapes for each kind of item, and what a request adds (ews reference 7, 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from postroom_simulator.ews.fields import Extended, Field, Indexed, Path, path_of

__all__ = ["Shape", "folder_shape", "item_shape", "paths_of"]


@dataclass(frozen=True, slots=True)
class Shape:
    """base: IdOnly, Default, AllProperties. body: Best, HTML, Text. light: of FindItem, without bodies, recipients, attachments.
    max_body: characters; unique_body, normalized_body: the kind of those bodies, "" where nothing was said; clean: FilterHtmlContent.
    image_template: the URL of pictures inside the text, with "{id}" for the attachment's id; "": they stay as they are.
    code_page: HTML goes on naming the character set that it was written in (ConvertHtmlCodePageToUTF8 false)."""

    base: str = "IdOnly"
    mime: bool = False
    body: str = "Best"
    paths: tuple[Path, ...] = ()
    light: bool = False
    max_body: int | None = None
    unique_body: str = ""
    normalized_body: str = ""
    clean: bool = False
    blank_targets: bool = False
    block_images: bool = False
    image_template: str = ""
    code_page: bool = False

    @property
    def elements(self) -> frozenset[str]:
        """First-class properties that were asked by name."""
        return frozenset(path.element for path in self.paths if isinstance(path, Field) and path.of_items)

    @property
    def indexed(self) -> tuple[Indexed, ...]:
        return tuple(path for path in self.paths if isinstance(path, Indexed))

    @property
    def extended(self) -> tuple[Extended, ...]:
        return tuple(path for path in self.paths if isinstance(path, Extended))


def paths_of(value: list[tuple[str, Mapping[str, Any]]] | None) -> tuple[Path, ...]:
    """Of an array of paths. Raises SchemaViolation, EwsError."""
    return tuple(path_of(name, one) for name, one in value or ())


def item_shape(value: Mapping[str, Any], *, light: bool = False) -> Shape:
    """From an ItemResponseShapeType."""
    paths = paths_of(value.get("AdditionalProperties"))
    mime = bool(value.get("IncludeMimeContent")) or any(
        isinstance(one, Field) and one.uri == "item:MimeContent" for one in paths
    )
    return Shape(
        value["BaseShape"],
        mime,
        value.get("BodyType", "Best"),
        paths,
        light,
        value.get("MaximumBodySize"),
        value.get("UniqueBodyType", ""),
        value.get("NormalizedBodyType", ""),
        bool(value.get("FilterHtmlContent")),
        bool(value.get("AddBlankTargetToLinks")),
        bool(value.get("BlockExternalImages")),
        value.get("InlineImageUrlTemplate", ""),
        value.get("ConvertHtmlCodePageToUTF8") is False,
    )


def folder_shape(value: Mapping[str, Any]) -> Shape:
    """From a FolderResponseShapeType."""
    return Shape(value["BaseShape"], paths=paths_of(value.get("AdditionalProperties")))
