"""Strict JSON parsing of untrusted input, and safe quoting of it in messages."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

from functions.shared.errors import HANDOFF, Refusal

if TYPE_CHECKING:
    from functions.shared.errors import Kind

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
SHOWN_CHARACTERS = 160


def shown(value: Any) -> str:
    """Quote `value` for a sentence: JSON in plain ASCII, cut after 160 characters."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def objects(document: Any, key: str) -> list[dict[str, Any]] | None:
    """The list of objects at `key` of a document; None where it has none."""
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, list) and all(isinstance(one, dict) for one in found) else None


def loads(data: bytes, name: str, kind: Kind = HANDOFF) -> Any:
    """Read `data` as one JSON document in UTF-8.

    Raises:
        Refusal: of `kind`, naming `name`, for a byte order mark, bytes that are not UTF-8, text that is not JSON
            (RFC 8259: no NaN, no comments), a key given twice in one object, or nesting too deep to read.
    """
    text = _text(data, name, kind)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise Refusal(f"{name} gives the key {shown(key)} twice in one object; give every key once.", kind)
            found[key] = value
        return found

    def no_constant(constant: str) -> Any:
        raise Refusal(f"{name} holds {constant}, which is not JSON; remove it.", kind)

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise Refusal(
            f"{name} is not JSON: {error.msg} at line {error.lineno} column {error.colno} ({_near(text, error.pos)}); "
            "write it with a JSON tool, not by hand.",
            kind,
        ) from None
    except RecursionError:
        raise Refusal(f"{name} is nested too deeply to read; it must be a flat JSON document.", kind) from None
    except ValueError:
        raise Refusal(f"{name} holds a number with too many digits; remove it.", kind) from None


def _near(text: str, position: int) -> str:
    found = text[position : position + 20]
    return f"at {shown(found)}" if found else "at its end"


def _text(data: bytes, name: str, kind: Kind) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise Refusal(
                f"{name} begins with a byte order mark of {encoding}; write it as UTF-8 without a mark.", kind
            )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(
            f"{name} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}; write it as UTF-8.", kind
        ) from None
    if not text.strip():
        empty = "holds nothing but white space" if text else "is empty"
        raise Refusal(f"{name} {empty}; it must hold one JSON document.", kind)
    return text
