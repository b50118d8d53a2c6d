"""Values to XML and back. What a value of each type is, `schema` says; `encoding` writes, `decoding` reads."""

from __future__ import annotations

from postroom_simulator.ews.decoding import NewerThanVersion, SchemaViolation, moment, read, read_as
from postroom_simulator.ews.encoding import NAMESPACES, legal_text, write

__all__ = ["NAMESPACES", "NewerThanVersion", "SchemaViolation", "legal_text", "moment", "read", "read_as", "write"]
