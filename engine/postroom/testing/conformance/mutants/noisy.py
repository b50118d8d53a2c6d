"""A module that does something when it is imported: what PKG-03 must notice."""

from __future__ import annotations

import tempfile

from postroom.providers.builtin.pop3 import Pop3Provider
from postroom.testing.conformance.mutants import mutant

with tempfile.TemporaryFile() as _written:
    _written.write(b"imported")


@mutant("PKG-03", "writes a file at import", says="write")
class WritesAtImport(Pop3Provider):
    pass
