"""The Lambda functions of a release: standard library and boto3, nothing else.

In the order a release meets them: `gate/release_gate` (the pipeline's Verify stage), `deploy/ecs_deploy` (the Deploy
stage of a rolling service), `guard/scaling_guard` (auto scaling while traffic shifts), `hooks/smoke_test` (the
deployment's hook on the test listener), `notices/notify` (notifications). Each handler module's docstring lists every
AWS call it makes, on what, and the environment variables it reads.

Decisions are pure functions in modules of their own (`handoff`, `rendering`, `changes`, `messages`,
`archives`, `strict_json`); `aws`, `images` and `posting` speak to the world.
"""
