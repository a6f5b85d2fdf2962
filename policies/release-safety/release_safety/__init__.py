"""Release safety: the checks between a hand-off and production, held against what the stack declares.

`releases` reads a stack's pipelines, buckets and task definitions; the other modules judge them, each its subject.
None of these knows Pulumi; `policies` does.
"""
