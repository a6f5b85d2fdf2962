"""The rehearsal against the real Pulumi engine: `make engine` runs both on the same stacks and compares.

The engine is the CLI's own; AWS is the rehearsal's model (`pulumi_rehearsal.providers`), which the engine asks as the
provider plugin. So a difference is one of engine and rehearsal, never of two models. `docs/engine.md` tells how to
read the result.
"""
