"""GetAppManifests (ews reference 4): the manifests of what an administrator has installed for everybody."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success


def handle(call: Call, _: Value) -> Value:
    return success(Manifests={"Manifest": list(call.service.app_manifests)})
