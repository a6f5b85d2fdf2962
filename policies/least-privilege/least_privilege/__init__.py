"""Least privilege: what each identity of a stack may do, held against what the stack intends.

`documents`, `patterns`, `conditions`, `trust` and `escalations` are pure: they know IAM and nothing of Pulumi.
`inventory` reads a stack's resources, `allowances` says what each purpose may do, `rules` compares.
"""
