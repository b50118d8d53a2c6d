"""GetPersona (MS-OXWSPERS 3.1.4.2, ews reference 12)."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success
from postroom_simulator.ews.errors import EwsError
from postroom_simulator.ews.people.personas import find_persona, persona_by_address


def handle(call: Call, request: Value) -> Value:
    """By an id or an address. An answer always has a persona, so that what goes wrong is a fault. Raises EwsError."""
    if "PersonaId" in request:
        return success(Persona=find_persona(call, request["PersonaId"]))
    if "EmailAddress" in request:
        return success(Persona=persona_by_address(call, request["EmailAddress"].get("EmailAddress", "")))
    raise EwsError("ErrorInvalidArgument", "GetPersona needs a PersonaId or an EmailAddress.")
