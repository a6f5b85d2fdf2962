"""Reads untrusted zip archives with size limits; writes reproducible ones."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections import Counter
from typing import TYPE_CHECKING

from functions.shared.errors import HANDOFF, Refusal
from functions.shared.strict_json import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.shared.errors import Kind

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED_BITS = 0x1 | 0x40 | 0x2000
_SHOWN_NAMES = 5


def read(
    data: bytes,
    archive: str,
    *,
    required: Mapping[str, int],
    optional: Mapping[str, int] | None = None,
    kind: Kind = HANDOFF,
) -> dict[str, bytes]:
    """Return the content of the named members, and refuse an archive that holds anything else.

    Nothing is written to disk. A member's size is capped twice: as declared, before anything is inflated, and
    as it really inflates, since the declaration is the sender's.

    Args:
        data: the archive's bytes, already capped by the caller.
        archive: how a sentence calls it, such as "The hand-off imagedefinitions.json.zip".
        required: members that must be there, with the most bytes that each may inflate to.
        optional: members that may be there, likewise.
        kind: the failure type of a refusal.

    Raises:
        Refusal: one sentence for every way an archive can be wrong.
    """
    allowed = {**required, **(optional or {})}
    wanted = " and ".join(required)
    opened = _open(data, archive, wanted, kind)
    members = opened.infolist()
    names = [member.orig_filename for member in members]
    if not names:
        raise Refusal(f"{archive} holds no member; it must hold {wanted}.", kind)
    for member in members:
        _refuse_hostile(member, archive, wanted, kind)
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise Refusal(f"{archive} holds {shown(name)} {times} times; it must hold it once.", kind)
    if len(names) > len(allowed) or set(names) - set(allowed):
        listed = ", ".join(shown(name) for name in sorted(names)[:_SHOWN_NAMES])
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        raise Refusal(f"{archive} holds {listed}{more}; it must hold {wanted} and nothing else.", kind)
    for name in required:
        if name not in names:
            raise Refusal(f"{archive} lacks {name}; it must hold {wanted}.", kind)
    return {member.filename: _content(opened, member, allowed[member.filename], archive, kind) for member in members}


def write(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of `members` that is the same, byte for byte, whenever and wherever it is made.

    Members stand in the order of their names, dated 1980, stored (compressors differ between versions of zlib).
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()


def _open(data: bytes, archive: str, wanted: str, kind: Kind) -> zipfile.ZipFile:
    if not data:
        raise Refusal(f"{archive} is empty; it must be a zip archive that holds {wanted}.", kind)
    if not data.startswith(b"PK\x03\x04"):
        raise Refusal(
            f"{archive} is not a zip archive (it begins with {shown(data[:8].hex(' '))}); "
            f"make it with zip and put {wanted} in it.",
            kind,
        )
    if b"PK\x05\x06" not in data:
        raise Refusal(f"{archive} is cut off before its directory; make it again and put it again.", kind)
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OverflowError, struct.error, NotImplementedError) as error:
        raise Refusal(
            f"{archive} is a damaged zip archive ({_said(error)}); make it again and put it again.", kind
        ) from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:120] or type(error).__name__


def _refuse_hostile(member: zipfile.ZipInfo, archive: str, wanted: str, kind: Kind) -> None:
    name = member.orig_filename
    quoted = shown(name)
    rule = f"members are at the top level under their plain names ({wanted})"
    if "\x00" in name:
        raise Refusal(f"{archive} holds the member {quoted}, whose name has a NUL byte; {rule}.", kind)
    if ".." in name.replace("\\", "/").split("/"):
        raise Refusal(f"{archive} holds the member {quoted}, which climbs out by '..'; {rule}.", kind)
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        raise Refusal(f"{archive} holds the member {quoted}, an absolute path; {rule}.", kind)
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise Refusal(f"{archive} holds {quoted} as a symbolic link; put the file itself in it.", kind)
    if name.endswith("/") or stat.S_ISDIR(mode):
        raise Refusal(f"{archive} holds the directory {quoted}; {rule}.", kind)
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise Refusal(f"{archive} holds {quoted} as a device, pipe or socket; put a plain file in it.", kind)
    if "/" in name or "\\" in name:
        raise Refusal(f"{archive} holds {quoted} inside a directory; {rule}.", kind)
    if member.flag_bits & _ENCRYPTED_BITS:
        raise Refusal(f"{archive} holds {quoted} encrypted; the archive must not have a password.", kind)
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Refusal(
            f"{archive} holds {quoted} compressed by method {member.compress_type}; "
            "allowed are stored (0) and deflated (8).",
            kind,
        )


def _content(opened: zipfile.ZipFile, member: zipfile.ZipInfo, cap: int, archive: str, kind: Kind) -> bytes:
    """Read one member up to our own cap: zipfile would stop quietly at the size that the sender declared."""
    name, declared = member.filename, member.file_size
    if declared > cap:
        raise Refusal(f"{archive} declares {name} to be {declared} bytes; at most {cap} are allowed.", kind)
    if member.header_offset + member.compress_size > opened.start_dir:
        raise Refusal(f"{archive} is damaged at {name}: it ends before the member does; make it again.", kind)
    member.file_size = cap + 2
    try:
        with opened.open(member) as file:
            content = file.read(cap + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error) as error:
        raise Refusal(f"{archive} is damaged at {name} ({_said(error)}); make it again.", kind) from None
    if len(content) > cap:
        raise Refusal(
            f"{archive} declares {name} to be {declared} bytes but it inflates to more than {cap}; "
            f"at most {cap} are allowed.",
            kind,
        )
    if len(content) != declared:
        raise Refusal(
            f"{archive} is damaged at {name}: it declares {declared} bytes and holds {len(content)}; make it again.",
            kind,
        )
    return content
