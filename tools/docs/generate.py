"""The generated parts of README.md and docs/, regenerated from the code and from the tests' stacks (`make docs`).

Not from the stacks beside `Pulumi.yaml`: those are for whoever uses this project to change.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pulumi_rehearsal import Rehearsal, rehearse
from pulumi_rehearsal.cli import main as rehearsal_command

from tools.docs import costs, picture, policies, policies_page, settings_schema, settings_table

ROOT = Path(__file__).parents[2]
STACKS = {stack: ROOT / "tests" / "stacks" / f"Pulumi.{stack}.yaml" for stack in ("dev", "stg", "prod")}
PAGES = (ROOT / "README.md", ROOT / "docs" / "settings.md")
SCHEMA = ROOT / "components" / "settings" / "schema.json"
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@cache
def rehearsed(stack: str) -> Rehearsal:
    """One stack as it would be after `pulumi up`."""
    return rehearse(ROOT, stack, "up", config_file=STACKS[stack])


def output() -> str:
    """What `make rehearse STACK=prod` ends with, as it prints it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        given = ["--stack", "prod", "--config-file", str(STACKS["prod"])]
        rehearsal_command(["preview", "--project", str(ROOT), *given, "--no-color"])
    lines = printed.getvalue().rstrip().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Previewing update (prod)"))
    tree = [line for line in lines if line.startswith(" +  ")]
    return "\n".join(["```text", *lines[first : first + 3], *tree[:9], "     …", "", *lines[-6:], "```"])


PARTS: dict[str, Callable[[], str]] = {
    "picture": lambda: picture.flow(rehearsed("prod")),
    "rehearse-output": output,
    "settings": settings_table.table,
    "policies": lambda: policies.table(ROOT),
    "quantities": lambda: costs.table([rehearsed(stack) for stack in STACKS]),
}


def renewed(text: str) -> str:
    """The text with every generated part as it should be."""

    def part(match: re.Match[str]) -> str:
        return f"{match.group(1)}{PARTS[match.group('name')]()}\n{match.group(3)}"

    return _PART.sub(part, text)


def run(*, check: bool) -> int:
    """Regenerate the pages, or compare them; returns 1 where one is stale."""
    pages = {page: renewed(page.read_text(encoding="utf-8")) for page in PAGES} | {
        policies_page.PAGE: policies_page.page(),
        SCHEMA: settings_schema.schema(),
    }
    stale = [page for page, text in pages.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    if check:
        sys.stderr.write("".join(f"{page.relative_to(ROOT)} is stale; make docs regenerates it\n" for page in stale))
        return int(bool(stale))
    for page in stale:
        page.write_text(pages[page], encoding="utf-8")
    return 0
