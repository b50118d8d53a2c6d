"""Octets and values: parsing that never raises, composing that cannot be injected into."""
