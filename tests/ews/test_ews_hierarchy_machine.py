"""Following a hierarchy: whoever does what SyncFolderHierarchy says has the tree that FindFolder shows (ews reference 6, 10)."""

from __future__ import annotations

from typing import Any

from folders_scene import ANN, Asker, by_id, named
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from postroom_simulator import World
from postroom_simulator.store.interface import Role

Value = dict[str, Any]
SHAPE = "<FolderShape><t:BaseShape>AllProperties</t:BaseShape></FolderShape>"
NUMBERS = st.integers(0, 40)
NAMES = st.sampled_from(["a", "A", "b", "Inbox", "ß", "<&>", "x" * 255])


class HierarchyFollower(RuleBasedStateMachine):
    """A client of one mailbox: of each folder it knows name, parent and class. It follows the tree below one root, and may begin from any state that
    it was ever given. What the server refuses changes nothing."""

    @initialize(below=st.sampled_from(["", "msgfolderroot", "inbox"]))
    def begin(self, below: str) -> None:
        self.world = World(hostname="hierarchy.sim.test")
        self.world.add_account(ANN, "pw")
        self.ann = Asker(self.world)
        self.where = f"<SyncFolderId>{named(below)}</SyncFolderId>" if below else ""
        self.root = self.folder_id(named(below or "root"))
        self.below = below or "root"
        self.state = ""
        self.known: dict[str, tuple[str, str, str]] = {}
        self.old: list[tuple[str, dict[str, tuple[str, str, str]]]] = []
        self.gone: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()

    def folder_id(self, reference: str) -> str:
        return str(self.ann.folder(reference)[1]["FolderId"]["@Id"])

    def all_ids(self) -> list[str]:
        """Of every folder below the top of the mailbox, in order of making."""
        from postroom_simulator.ews.folders import folder_id

        top = self.world.store.folder(ANN, Role.TOP).uid
        return [folder_id(one)["@Id"] for one in self.world.store.folders(ANN) if one.parent is not None and one.uid != top]

    def one_of(self, number: int) -> str:
        found = self.all_ids()
        return found[number % len(found)]

    # -- what becomes of the tree

    @rule(number=NUMBERS, name=NAMES, kind=st.sampled_from(["Folder", "CalendarFolder", "ContactsFolder"]))
    def make(self, number: int, name: str, kind: str) -> None:
        text = name.replace("&", "&amp;").replace("<", "&lt;")
        inside = f"<t:{kind}><t:DisplayName>{text}</t:DisplayName></t:{kind}>"
        self.ann.code(
            f"<CreateFolder><ParentFolderId>{by_id(self.one_of(number))}</ParentFolderId><Folders>{inside}</Folders></CreateFolder>"
        )

    @rule(number=NUMBERS, name=NAMES)
    def rename(self, number: int, name: str) -> None:
        text = name.replace("&", "&amp;").replace("<", "&lt;")
        update = f'<t:SetFolderField><t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>{text}</t:DisplayName></t:Folder></t:SetFolderField>'
        change = f"<t:FolderChange>{by_id(self.one_of(number))}<t:Updates>{update}</t:Updates></t:FolderChange>"
        self.ann.code(f"<UpdateFolder><FolderChanges>{change}</FolderChanges></UpdateFolder>")

    @rule(number=NUMBERS, into=NUMBERS, how=st.sampled_from(["Move", "Copy"]))
    def carry(self, number: int, into: int, how: str) -> None:
        if how == "Copy" and len(self.all_ids()) > 60:
            return
        to = f"<ToFolderId>{by_id(self.one_of(into))}</ToFolderId>"
        self.ann.code(f"<{how}Folder>{to}<FolderIds>{by_id(self.one_of(number))}</FolderIds></{how}Folder>")

    @rule(number=NUMBERS, how=st.sampled_from(["HardDelete", "SoftDelete", "MoveToDeletedItems"]))
    def delete(self, number: int, how: str) -> None:
        before = set(self.all_ids())
        self.ann.code(f'<DeleteFolder DeleteType="{how}"><FolderIds>{by_id(self.one_of(number))}</FolderIds></DeleteFolder>')
        self.gone |= before - set(self.all_ids())

    @rule()
    def mail_arrives(self) -> None:
        """Of no concern."""
        self.world.store.deposit(ANN, b"Subject: x\r\n\r\n")

    # -- the client

    @rule()
    def follow(self) -> None:
        self.old.append((self.state, dict(self.known)))
        given = f"<SyncState>{self.state}</SyncState>" if self.state else ""
        message = self.ann.one(f"<SyncFolderHierarchy>{SHAPE}{self.where}{given}</SyncFolderHierarchy>")
        told = set()
        for what, change in message["Changes"]:
            if what == "Delete":
                one = change["FolderId"]["@Id"]
                del self.known[one]
            else:
                (value,) = change.values()
                one, parent = value["FolderId"]["@Id"], value["ParentFolderId"]["@Id"]
                assert (one in self.known) == (what == "Update")
                assert parent == self.root or parent in self.known, "a folder is told before the one that it is in"
                self.known[one] = (value["DisplayName"], parent, value.get("FolderClass", ""))
            assert one not in told
            told.add(one)
        assert message["IncludesLastFolderInRange"] is True
        self.state = message["SyncState"]
        assert self.known == self.found()

    def found(self) -> dict[str, tuple[str, str, str]]:
        """What FindFolder shows."""
        view = '<IndexedPageFolderView MaxEntriesReturned="1000" Offset="0" BasePoint="Beginning"/>'
        message = self.ann.one(
            f'<FindFolder Traversal="Deep">{SHAPE}{view}<ParentFolderIds>{named(self.below)}</ParentFolderIds></FindFolder>'
        )
        values = [value for _, value in message["RootFolder"]["Folders"]]
        assert message["RootFolder"]["@TotalItemsInView"] == len(values)
        assert len(values) == len({value["FolderId"]["@Id"] for value in values})
        return {
            value["FolderId"]["@Id"]: (value["DisplayName"], value["ParentFolderId"]["@Id"], value.get("FolderClass", ""))
            for value in values
        }

    @rule()
    def nothing_new(self) -> None:
        self.follow()
        self.old.append((self.state, dict(self.known)))
        message = self.ann.one(
            f"<SyncFolderHierarchy>{SHAPE}{self.where}<SyncState>{self.state}</SyncState></SyncFolderHierarchy>"
        )
        assert (message["Changes"], message["SyncState"]) == ([], self.state)

    @rule(number=st.integers(0, 50))
    def replay(self, number: int) -> None:
        if self.old:
            self.state, known = self.old[number % len(self.old)]
            self.known = dict(known)

    @invariant()
    def what_is_gone_stays_gone(self) -> None:
        if getattr(self, "gone", None):
            request = f"<GetFolder>{SHAPE}<FolderIds>{by_id(min(self.gone))}</FolderIds></GetFolder>"
            assert self.ann.code(request) in ("ErrorItemNotFound", "ErrorFolderNotFound")


TestHierarchyFollower = HierarchyFollower.TestCase
TestHierarchyFollower.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
