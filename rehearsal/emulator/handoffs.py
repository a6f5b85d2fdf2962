"""A hand-off that somebody made: which images it names, so that stand-ins for them can be pushed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator

from contract import files
from contract.release import Contract


def named_images(data: bytes, contract: Contract) -> Iterator[tuple[str, str]]:
    """Repository and tag of each image of the service's own repositories.

    Whatever else the archive holds is for the gate to judge: nothing is said of it here.
    """
    own = set(contract.containers.values())
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = json.loads(archive.read(files.IMAGE_DEFINITIONS))
        uris = [entry["imageUri"] for entry in entries]
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, NotImplementedError, RuntimeError):
        return
    for uri in uris:
        host, _, rest = str(uri).partition("/")
        repository, _, tag = rest.partition("@")[0].rpartition(":")
        if host == contract.registry and repository in own and tag:
            yield repository, tag
