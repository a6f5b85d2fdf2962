"""Least privilege: what each identity of a stack may do, held against what the stack intends.

`inventory` reads a stack's roles and policies, `allowances` says what each purpose may do, and `identities`, `trust`
and `external_access` compare. None of these knows Pulumi; `policies` does.
"""
