"""Stack outputs, the end of the program: all are awaited at once."""

from __future__ import annotations

import asyncio

from pulumi.runtime.settings import SETTINGS


async def settled() -> None:
    """Wait until no output is pending; what failed is left for the SDK to report.

    The SDK waits for the first output that is done, over and over, and goes through all the others each time
    (`pulumi.runtime.stack.wait_for_rpcs`): quadratic in their number, a quarter of a preview of fifty services. Of what
    is pending it keeps `SETTINGS.outputs` alone; a public list of them there is none.
    """
    while pending := [output for output in list(SETTINGS.outputs) if not output.done()]:
        await asyncio.wait(pending)
