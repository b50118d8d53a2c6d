"""Providers to begin from: each works, passes the conformance kit and does one thing that the built-in ones do not."""
