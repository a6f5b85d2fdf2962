"""Writes the generated parts of README.md and docs/settings.md anew from the code and from the tests' stacks.

Not from the stacks beside `Pulumi.yaml`: those are for whoever uses this project to change.

    python -m tools.docs.generate

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pulumi_rehearsal import Rehearsal, rehearse
from pulumi_rehearsal.cli import main as rehearsal_command

from tools.docs import costs, picture, policies, settings_table

ROOT = Path(__file__).parents[2]
STACKS = {stack: ROOT / "tests" / "stacks" / f"Pulumi.{stack}.yaml" for stack in ("dev", "stg", "prod")}
PAGES = (ROOT / "README.md", ROOT / "docs" / "settings.md")
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


def main() -> None:
    """Write the pages anew."""
    for page in PAGES:
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
