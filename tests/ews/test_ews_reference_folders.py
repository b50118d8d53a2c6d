"""Sentences of the ews reference, section 6, that no other test keeps: what lies beside the folders that people see."""

from __future__ import annotations

import pytest
from folders_scene import Asker, ann, by_id, create, named, world  # noqa: F401


def test_what_lies_beside_the_visible_tree(ann: Asker) -> None:  # noqa: F811
    """Section 6: beside msgfolderroot under root are the search folders, views, deferred actions, schedule data and recoverable items."""
    assert set(ann.names(named("root"))) >= {
        "Top of Information Store",
        "Finder",
        "Common Views",
        "Views",
        "Deferred Action",
        "Schedule",
        "Recoverable Items",
    }
    assert not {"Common Views", "Views", "Deferred Action", "Schedule"} & set(ann.names(named("msgfolderroot")))


@pytest.mark.parametrize("name", ["Common Views", "Views", "Deferred Action", "Schedule"])
def test_what_has_no_well_known_name_is_still_the_systems_own(ann: Asker, name: str) -> None:  # noqa: F811
    """Section 6: there is no distinguished name for it; it is not deleted or moved, and its name is taken."""
    message = ann.one(
        "<FindFolder Traversal='Shallow'><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>"
        f"<ParentFolderIds>{named('root')}</ParentFolderIds></FindFolder>"
    )
    found = next(value for _, value in message["RootFolder"]["Folders"] if value["DisplayName"] == name)
    assert "DistinguishedFolderId" not in found
    one = by_id(found["FolderId"]["@Id"])
    assert ann.code(f'<DeleteFolder DeleteType="HardDelete"><FolderIds>{one}</FolderIds></DeleteFolder>') == (
        "ErrorDeleteDistinguishedFolder"
    )
    moved = f"<MoveFolder><ToFolderId>{named('inbox')}</ToFolderId><FolderIds>{one}</FolderIds></MoveFolder>"
    assert ann.code(moved) == "ErrorMoveDistinguishedFolder"
    assert ann.code(create(name.upper(), named("root"))) == "ErrorFolderExists"
