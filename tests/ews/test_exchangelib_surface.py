"""The list of what exchangelib can do is whole, tried, and shown."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import exchangelib
import pytest
from exchangelib import attachments, properties, services
from exchangelib.folders import FolderCollection, FolderQuerySet, SingleFolderQuerySet
from exchangelib.folders.base import BaseFolder
from exchangelib.folders.roots import Root, RootOfHierarchy
from exchangelib.items import calendar_item
from exchangelib.items.base import BaseReplyItem
from exchangelib.items.item import Item
from exchangelib.protocol import Protocol
from exchangelib.queryset import QuerySet
from exchangelib_surface import ABSENT, AREAS, LOCAL, SAME, TRANSPORT_BOUND

HERE = Path(__file__).parent
CLASSES = (
    *(
        exchangelib.Account,
        BaseFolder,
        exchangelib.Folder,
        RootOfHierarchy,
        Root,
        FolderCollection,
        FolderQuerySet,
        SingleFolderQuerySet,
    ),
    *(QuerySet, Protocol, Item, exchangelib.Message, BaseReplyItem, exchangelib.CalendarItem, calendar_item.AcceptDeclineMixIn),
    *(
        calendar_item.BaseMeetingReplyItem,
        exchangelib.Task,
        attachments.Attachment,
        attachments.FileAttachment,
        attachments.ItemAttachment,
        properties.Rule,
    ),
)
LISTED = {call for area in AREAS for call in area.calls}


def public(kind: type) -> set[str]:
    """Methods and properties of its own."""
    called = (property, classmethod, staticmethod)
    return {
        f"{kind.__name__}.{name}"
        for name, value in vars(kind).items()
        if not name.startswith("_")
        and (callable(value) or isinstance(value, called) or hasattr(type(value), "__get__"))
        and "Field" not in type(value).__name__
        and name not in kind.__dict__.get("__slots__", ())
    }


def test_every_public_name_is_listed() -> None:
    known = LISTED | set(SAME) | set(ABSENT) | set(LOCAL)
    missing = set().union(*(public(kind) for kind in CLASSES)) - known
    assert not missing
    assert set(SAME.values()) <= LISTED


def test_every_listed_name_is_exchangelibs() -> None:
    kinds = {kind.__name__: kind for kind in CLASSES}
    for call in {*LISTED, *SAME, *ABSENT, *LOCAL} - {"discover"}:
        kind, _, name = call.partition(".")
        assert hasattr(kinds[kind], name), call


def test_every_service_is_listed() -> None:
    listed = {name for area in AREAS for name in area.services}
    assert listed == set(services.__all__) - {"EWSService"}


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.tests)
def test_every_call_stands_in_its_tests(area) -> None:
    text = (HERE / f"{area.tests}.py").read_text()
    missing = [call for call in area.calls if not re.search(rf"\b{call.rpartition('.')[2]}\b", text)]
    assert not missing


def test_the_transport_bound_tests_are_those_that_are_named() -> None:
    found = set()
    for path in HERE.glob("test_exchangelib_*.py"):
        for one in ast.walk(ast.parse(path.read_text())):
            if isinstance(one, ast.FunctionDef) and any(ast.unparse(mark) == "over_sockets" for mark in one.decorator_list):
                found.add(f"{path.stem}::{one.name}")
    assert found == set(TRANSPORT_BOUND)


def test_the_areas_are_shown_to_readers() -> None:
    text = (HERE.parents[1] / "docs" / "clients.md").read_text()
    for area in AREAS:
        assert f"| {area.name} | `tests/ews/{area.tests}.py` |" in text
    for name in TRANSPORT_BOUND:
        assert name.partition("::")[2] in text
