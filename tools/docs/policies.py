"""What each policy demands, as the packs themselves say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi_rehearsal.packs import InProcessAnalyzer, RunSettings, find_packs, load_folder


def pack_info(folder: Path) -> Any:
    """What a pack says of itself and its policies (AnalyzerInfo of Pulumi's analyzer protocol)."""
    settings = RunSettings(
        project="ecs-release", stack="dev", organization="organization", dry_run=True, config={}, secret_keys=[]
    )
    analyzer = InProcessAnalyzer(load_folder(folder))
    try:
        return analyzer.start(settings)
    finally:
        analyzer.close()


def table(project: Path) -> str:
    """Pack by pack, each policy with its level and description, as Markdown."""
    lines = ["| policy | what it demands |", "| --- | --- |"]
    for folder in find_packs(project):
        info = pack_info(folder)
        lines.append(f"| **{info.name}** | {info.description} |")
        policies = sorted(info.policies, key=lambda p: p.name)
        lines += [f"| `{p.name}` | {' '.join(p.description.split())} |" for p in policies]
    return "\n".join(lines)
