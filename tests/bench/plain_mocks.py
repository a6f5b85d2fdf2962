"""A program under the SDK's own mocks, as a test of it would run: what `bench` compares with.

Started as a script, not as a module, so that nothing of the rehearsal is imported:
`python -P PLAIN_MOCKS.PY PROGRAM PROJECT STACK`, with the configuration in PULUMI_CONFIG.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from typing import Any

import pulumi.runtime
from pulumi.runtime.mocks import MockCallArgs, MockEngine, MockMonitor, MockResourceArgs, Mocks, MockSettings


class _Echo(Mocks):
    """What most tests of Pulumi programs use: an id made of the name, and the inputs given back."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return f"{args.name}_id", dict(args.inputs)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {**args.args, "id": "found", "ids": ["first", "second", "third"]}, []


async def _run(program: str, project: str, stack: str) -> None:
    settings = MockSettings(  # type: ignore[no-untyped-call]
        monitor=MockMonitor(_Echo()),
        engine=MockEngine(None),
        project=project,
        stack=stack,
        dry_run=True,
        organization="organization",
        root_directory=program,
        callbacks=None,
        legacy_apply_enabled=False,
        lock=pulumi.runtime.settings.SETTINGS.lock,
        outputs=set(),
        monitor_features=set(),
    )
    pulumi.runtime.configure(settings)

    def main() -> None:
        runpy.run_path(program, run_name="__main__")

    await pulumi.runtime.run_in_stack(main)


if __name__ == "__main__":
    directory, name, stack_name = sys.argv[1:]
    os.chdir(directory)
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env())
    asyncio.run(_run(directory, name, stack_name))
