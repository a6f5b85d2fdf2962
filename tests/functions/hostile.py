"""Archives that no honest tool writes, made byte by byte."""

import stat
import struct
import zlib

NAME = b"imagedefinitions.json"


def raw_zip(*members, comment=b"", prefix=b"", entries=None):
    """Write a zip from `member(...)`s; `entries` lies about how many there are."""
    body, directory = prefix, b""
    for one in members:
        offset = len(body)
        body += one["local"]
        directory += one["central"](offset)
    count = len(members) if entries is None else entries
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), len(comment))
    return body + directory + end + comment


def member(
    content=b"[]",
    name=NAME,
    *,
    method=8,
    flags=0,
    declared=None,
    packed_size=None,
    crc=None,
    mode=stat.S_IFREG | 0o644,
    local_name=None,
    packed=None,
):
    """One member, with every field open to a lie."""
    if packed is None:
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflater.compress(content) + deflater.flush() if method == 8 else content
    size = len(content) if declared is None else declared
    packed_length = len(packed) if packed_size is None else packed_size
    check = zlib.crc32(content) if crc is None else crc
    common = struct.pack("<5H3L", 20, flags, method, 0, 0x21, check, packed_length, size)
    inner = name if local_name is None else local_name
    local = b"PK\x03\x04" + common + struct.pack("<2H", len(inner), 0) + inner + packed

    def central(offset):
        tail = struct.pack("<5H2L", len(name), 0, 0, 0, 0, mode << 16, offset)
        return b"PK\x01\x02" + struct.pack("<H", 0x0314) + common + tail + name

    return {"local": local, "central": central}


def lone(*args, **kwargs):
    return raw_zip(member(*args, **kwargs))
