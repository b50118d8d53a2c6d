"""GetServerTimeZones (MS-OXWSGTZ 3.1.4.1, ews reference 11)."""

from __future__ import annotations

from postroom_simulator.ews.calendar import zones
from postroom_simulator.ews.call import Call, Value, success


def handle(_: Call, request: Value) -> Value:
    """All zones, or those of the Ids that are known; ids that nobody knows are passed over (our choice)."""
    full = bool(request.get("@ReturnFullTimeZoneData", True))  # the published default
    ids = request.get("Ids")
    if ids is None:
        found = zones.all_zones()
    else:
        known = [zones.named(one) for one in ids["Id"]]
        found = list({zone.id: zone for zone in known if zone is not None}.values())
    definitions = [zones.definition(zone, full=full) for zone in found]
    message = success(TimeZoneDefinitions={"TimeZoneDefinition": definitions})
    return {"ResponseMessages": [("GetServerTimeZonesResponseMessage", message)]}
