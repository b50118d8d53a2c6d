"""GetPersona (MS-OXWSPERS 3.1.4.2, ews reference 12)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.personas import find_persona, persona_by_address, with_properties
from postroom_simulator.ews.shapes import paths_of


def handle(call: Call, request: Value) -> Value:
    """By an id or an address. An answer always has a persona, so that what goes wrong is a fault. Raises EwsError."""
    if "PersonaId" in request:
        found = find_persona(call, request["PersonaId"])
    elif "EmailAddress" in request:
        found = persona_by_address(call, request["EmailAddress"].get("EmailAddress", ""))
    else:
        raise EwsError("ErrorInvalidArgument", "GetPersona needs a PersonaId or an EmailAddress.")
    return success(Persona=with_properties(call, found, paths_of(request.get("AdditionalProperties"))))
