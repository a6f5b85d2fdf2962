"""`bench`: how long a rehearsal takes."""

from __future__ import annotations

from tools import bench

HELP = "time a rehearsal against the same program under the SDK's plain mocks, by number of services"
EXIT_CODES = "Exit codes: 0 measured, 1 a target is missed (--check), 2 a usage error."
add_arguments = bench.add_arguments
run = bench.run
