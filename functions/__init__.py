"""What runs in Lambda while a release goes through: standard library and boto3, nothing else.

In the order a release meets them: `release_gate` (the pipeline's Verify stage), `smoke_test` (the deployment's
hook on the test listener), `scaling_guard` (auto scaling while traffic shifts), `notify` (people are told).
Decisions are pure functions; only the handler modules and `aws`, `images`, `posting` speak to anything.
"""
