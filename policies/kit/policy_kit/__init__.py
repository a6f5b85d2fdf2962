"""What a policy pack for Pulumi programs on AWS is made of, apart from its rules.

`resources` is a stack as plain data and `adapter` makes it of what the policy SDK gives; `documents`, `patterns` and
`conditions` read IAM policy documents; `findings` is what a rule says, and `pack` turns rules into policies.
"""
