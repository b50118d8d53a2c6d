"""GetAppManifests (ews reference 4): no app is installed."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success


def handle(_: Call, __: Value) -> Value:
    return success(Manifests={})
