"""Policy packs: found, started, configured and asked as the Pulumi engine does it."""

from __future__ import annotations

from .analyzer import Analyzer, RunSettings
from .configuration import configuration
from .folder import PackFolder, find_packs, load_folder
from .in_process import InProcessAnalyzer
from .process import EngineServer, ProcessAnalyzer
from .run import PolicyRun

__all__ = [
    "Analyzer",
    "EngineServer",
    "InProcessAnalyzer",
    "PackFolder",
    "PolicyRun",
    "ProcessAnalyzer",
    "RunSettings",
    "configuration",
    "find_packs",
    "load_folder",
]
