"""GetAppMarketplaceUrl (ews reference 4): an address on the server itself, where nothing is."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success


def handle(call: Call, _: Value) -> Value:
    return success(AppMarketplaceUrl=f"{call.base_url}/marketplace")
