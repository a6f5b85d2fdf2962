"""contract/regions.py, made from botocore's partitions.json (`python -m tools regions`)."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import botocore

FILE = Path(__file__).parents[1] / "contract" / "regions.py"
_HEAD = '''"""Regions of the AWS partition aws, from botocore's partitions.json, by `python -m tools regions`."""

from __future__ import annotations

from typing import Final

'''


def of_botocore() -> list[str]:
    """The partition's regions, without pseudo-regions such as aws-global."""
    file = Path(botocore.__file__).parent / "data" / "partitions.json"
    [aws] = [p for p in json.loads(file.read_text(encoding="utf-8"))["partitions"] if p["id"] == "aws"]
    return sorted(region for region in aws["regions"] if re.match(aws["regionRegex"], region))


def write() -> None:
    """Regenerate the file."""
    listed = "".join(f'    "{region}",\n' for region in of_botocore())
    text = f'{_HEAD}AS_OF: Final = "{datetime.now(UTC).date()}"\nREGIONS: Final = (\n{listed})\n'
    FILE.write_text(text, encoding="utf-8")
