"""Environment variables of the functions: components set them, functions read them, the release rehearsal changes some.

What each means and which value it has by default stands in the docstring of the function that reads it.
"""

from __future__ import annotations

from typing import Final

# functions.gate.release_gate
SCAN_WAIT_MINUTES: Final = "SCAN_WAIT_MINUTES"
SCAN_GRACE_SECONDS: Final = "SCAN_GRACE_SECONDS"

# functions.deploy.ecs_deploy
DEPLOYMENT_TIMEOUT_MINUTES: Final = "DEPLOYMENT_TIMEOUT_MINUTES"

# functions.hooks.smoke_test
SMOKE_URL: Final = "SMOKE_URL"
SMOKE_HOST: Final = "SMOKE_HOST"
SMOKE_CHECKS: Final = "SMOKE_CHECKS"
SMOKE_SECONDS: Final = "SMOKE_SECONDS"
SMOKE_PAUSE_SECONDS: Final = "SMOKE_PAUSE_SECONDS"

# functions.guard.scaling_guard
GUARDED_SERVICES: Final = "GUARDED_SERVICES"
ENVIRONMENT: Final = "ENVIRONMENT"

# functions.notices.notify
NOTIFY_CHANNELS: Final = "NOTIFY_CHANNELS"
NOTIFY_BACKOFF_SECONDS: Final = "NOTIFY_BACKOFF_SECONDS"
SLACK_API_BASE: Final = "SLACK_API_BASE"
SLACK_WEBHOOK_BASE: Final = "SLACK_WEBHOOK_BASE"
CHATWORK_API_BASE: Final = "CHATWORK_API_BASE"
