"""Release safety: the checks between a hand-off and production, held against what the stack declares.

`releases` reads a stack's resources into pipelines, buckets and task definitions; `flow`, `storage` and `runtime`
judge them. None of these knows Pulumi; `policies` does.
"""
