"""What each policy demands, as the packs themselves say it."""

from __future__ import annotations

from pathlib import Path

from pulumi_rehearsal.packs import InProcessAnalyzer, RunSettings, find_packs, load_folder


def table(project: Path) -> str:
    """Pack by pack, each policy with its level and description, as Markdown."""
    settings = RunSettings(
        project="ecs-release", stack="dev", organization="organization", dry_run=True, config={}, secret_keys=[]
    )
    lines = ["| policy | what it demands |", "| --- | --- |"]
    for path in find_packs(project):
        analyzer = InProcessAnalyzer(load_folder(path))
        try:
            info = analyzer.start(settings)
            lines.append(f"| **{info.name}** | {info.description} |")
            policies = sorted(info.policies, key=lambda p: p.name)
            lines += [f"| `{p.name}` | {' '.join(p.description.split())} |" for p in policies]
        finally:
            analyzer.close()
    return "\n".join(lines)
