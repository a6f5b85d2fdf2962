"""`engine`: the rehearsal compared with the real Pulumi engine."""

from __future__ import annotations

from rehearsal.conformance import check

HELP = "run stacks under the real Pulumi engine, with the rehearsal's model as the provider, and compare"
EXIT_CODES = check.EXIT_CODES
add_arguments = check.add_arguments
run = check.run
