"""Tags of a stack's resources, by which policies and the release rehearsal know their purpose."""

from __future__ import annotations

from typing import Final, Literal

ENVIRONMENT: Final = "ecs-release:environment"
PRODUCTION: Final = "ecs-release:production"
SERVICE: Final = "ecs-release:service"
PURPOSE: Final = "ecs-release:purpose"

#: Values of the purpose tag: what an IAM role is for.
Purpose = Literal[
    "ci", "pipeline", "pipeline-action", "deployment", "task", "task-execution", "function", "event-rule", "chatbot"
]
CI: Final = "ci"
