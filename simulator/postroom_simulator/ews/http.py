"""Requests and answers of HTTP as values, and the types of their bodies here."""

from __future__ import annotations

from postroom_simulator.web.values import HTML, REASONS, Request, Response

__all__ = ["HTML", "REASONS", "XML", "Request", "Response"]

XML = "text/xml; charset=utf-8"
"""The Content-Type of every answer, to the letter: DavMail compares the whole value (ews reference 1)."""
