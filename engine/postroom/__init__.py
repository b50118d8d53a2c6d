"""Server-side synchronization and an email router with pluggable providers, in one in-process engine."""
