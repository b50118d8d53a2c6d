"""The checks, a module a family. `table.load()` imports them all."""
