"""The languages of replies (RFC 6856 §3): a handful of texts in each, the rest stays English.

A reply is translated by its English text, once it is made; digits in it are carried over. So no command knows of languages, and a text
that nobody translated is said in English, as RFC 6856 §3.1 lets a server do. Response codes and data are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["DEFAULT", "LANGUAGES", "find_language", "listing", "translated"]

DEFAULT = "i-default"
"""What everybody starts with: English (RFC 2277 §4.5)."""

LANGUAGES: Mapping[str, str] = {DEFAULT: "Default", "en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}
"""Tags in the order listed, each with its name in that language."""

_DIGITS = re.compile(r"[0-9]+")
_CODE = re.compile(r"\[[^\]]*\] ")

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "de": {
        "bye": "Auf Wiedersehen",
        "bye, # messages removed": "Auf Wiedersehen, # Nachrichten entfernt",
        "send PASS": "jetzt PASS",
        "maildrop locked and ready": "Postfach gesperrt und bereit",
        "authentication failed": "Anmeldung fehlgeschlagen",
        "the maildrop is in use by another session": "das Postfach wird von einer anderen Sitzung benutzt",
        "unknown command": "unbekannter Befehl",
        "wrong number of arguments": "falsche Anzahl von Argumenten",
        "no such message, the maildrop has #": "keine solche Nachricht, das Postfach enthält #",
        "message # marked as deleted": "Nachricht # als gelöscht markiert",
        "message # is marked as deleted": "Nachricht # ist als gelöscht markiert",
        "nothing done": "nichts getan",
        "# messages": "# Nachrichten",
        "# octets": "# Oktette",
        "language changed": "Sprache gewechselt",
        "no such language": "keine solche Sprache",
    },
    "fr": {
        "bye": "au revoir",
        "bye, # messages removed": "au revoir, # messages supprimés",
        "send PASS": "envoyez PASS",
        "maildrop locked and ready": "boîte verrouillée et prête",
        "authentication failed": "échec de l'authentification",
        "the maildrop is in use by another session": "la boîte est utilisée par une autre session",
        "unknown command": "commande inconnue",
        "wrong number of arguments": "mauvais nombre d'arguments",
        "no such message, the maildrop has #": "message inexistant, la boîte en contient #",
        "message # marked as deleted": "message # marqué comme supprimé",
        "message # is marked as deleted": "le message # est marqué comme supprimé",
        "nothing done": "rien de fait",
        "language changed": "langue changée",
        "no such language": "langue inconnue",
    },
    "es": {
        "bye": "adiós",
        "bye, # messages removed": "adiós, # mensajes eliminados",
        "send PASS": "envíe PASS",
        "maildrop locked and ready": "buzón bloqueado y listo",
        "authentication failed": "error de autenticación",
        "the maildrop is in use by another session": "el buzón está en uso por otra sesión",
        "unknown command": "orden desconocida",
        "wrong number of arguments": "número de argumentos incorrecto",
        "no such message, the maildrop has #": "no existe ese mensaje, el buzón tiene #",
        "message # marked as deleted": "mensaje # marcado como borrado",
        "message # is marked as deleted": "el mensaje # está marcado como borrado",
        "nothing done": "nada hecho",
        "# messages": "# mensajes",
        "# octets": "# octetos",
        "language changed": "idioma cambiado",
        "no such language": "no existe ese idioma",
    },
}


def find_language(wanted: str) -> str | None:
    """The tag that a language range means (RFC 4647 §3.4, lookup: what is more special falls back to less: "de-AT" to "de"), or None.

    "*" is the server's preference: the default (RFC 6856 §3.1)."""
    if wanted == "*":
        return DEFAULT
    tags = {tag.lower(): tag for tag in LANGUAGES}
    parts = wanted.lower().split("-")
    while parts:
        found = tags.get("-".join(parts))
        if found is not None:
            return found
        parts.pop()
        if parts and len(parts[-1]) == 1:  # "x" and the like never stand last
            parts.pop()
    return None


def listing() -> list[bytes]:
    """The lines that LANG without an argument answers with."""
    return [f"{tag} {name}\r\n".encode() for tag, name in LANGUAGES.items()]


def translated(octets: bytes, language: str) -> bytes:
    """A reply with the text of its first line in `language`, where somebody translated it."""
    texts = _TEXTS.get(language)
    if not texts:
        return octets
    line, end, rest = octets.partition(b"\r\n")
    status, space, text = line.decode("utf-8", "surrogateescape").partition(" ")
    code = found[0] if (found := _CODE.match(text)) else ""
    text = text[len(code) :]
    said = texts.get(_DIGITS.sub("#", text))
    if said is None:
        return octets
    numbers = iter(_DIGITS.findall(text))
    said = re.sub("#", lambda _: next(numbers), said)
    return f"{status}{space}{code}{said}".encode("utf-8", "surrogateescape") + end + rest
