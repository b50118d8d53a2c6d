"""Which files an organization does not take (server-side-sync reference 4.11): `organization.blockedattachments`."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["BLOCKED_ATTACHMENTS", "extensions_of"]

_BLOCKED = """
    ade adp app asa ashx asmx asp bas bat cdx cer chm class cmd com config cpl crt csh dll exe fxp hlp hta
    htr htw ida idc idq inf ins isp its jar js jse ksh lnk mad maf mag mam maq mar mas mat mau mav maw mda
    mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2 msh2xml mshxml msi msp mst ops pcd pif prf prg printer pst
    reg rem scf scr sct shb shs shtm shtml soap stm tmp url vb vbe vbs vsmacros vss vst vsw ws wsc wsf wsh
"""
BLOCKED_ATTACHMENTS = ";".join(_BLOCKED.split())
"""File extensions that a new organization blocks, as the column holds them [K]."""


@lru_cache(maxsize=64)
def extensions_of(text: str | None) -> frozenset[str]:
    """Extensions in lower case, without dots. None (a row from before there was the column): the default; "": nothing is blocked."""
    parts = (BLOCKED_ATTACHMENTS if text is None else text).split(";")
    return frozenset(name for part in parts if (name := part.strip().lstrip(".").lower()))
