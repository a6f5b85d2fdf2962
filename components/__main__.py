"""The component package's plugin: Pulumi runs this folder for a program in any language (docs/components.md)."""

import sys
from pathlib import Path

from pulumi.provider.experimental import component_provider_host

# Pulumi runs the folder by its path, which puts the folder on the path and not what it is a package of.
sys.path[0] = str(Path(__file__).parents[1])  # noqa: TID251  nothing is importable before it

from components.package import NAME, PUBLIC  # noqa: E402

component_provider_host(list(PUBLIC), NAME)
