"""CreateUserConfiguration (MS-OXWSUSRCFG 3.1.4.1, ews reference 15)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, answer
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.settings import checked_parts, find, item_class, named
from postroom_simulator.store.interface import ASSOCIATED


def handle(call: Call, request: Value) -> Value:
    def one(given: Value) -> Value:
        folder, name = named(call, given["UserConfigurationName"], "create")
        parts = checked_parts(given)
        if find(call, folder, name) is not None:
            raise EwsError("ErrorItemSave", f"The folder has a user configuration {name[:60]!r} already.")
        call.store.create(folder.uid, item_class(name), {"Dictionary": {}, **parts}, flags=frozenset({ASSOCIATED}))
        return {}

    return answer(call, [request["UserConfiguration"]], one)
