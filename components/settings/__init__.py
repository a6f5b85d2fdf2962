"""All settings of a stack, in one typed and validated model.

`load()` returns `Settings`, or raises `SettingsError` that lists every problem at once: the key, what was found, what
is allowed. No resource is registered before that.

    regions.py       regions of the AWS partition `aws`
    values.py        types of value, and the base class of the models
    environment.py   settings that the services of an environment share
    service.py       settings of a service
    stack.py         all settings of a stack
    resolved.py      a service with the stack's defaults applied
    loading.py       from a stack's config to the model, and the error messages
"""

from __future__ import annotations

from components.settings.environment import (
    Alarms,
    Capacity,
    Chatbot,
    Ci,
    CreateNetwork,
    Deployment,
    LoadBalancer,
    LookUpNetwork,
    Network,
    Notifications,
    Secret,
)
from components.settings.loading import SettingsError, load, of_stack, stack_config
from components.settings.resolved import ResolvedService, resolved
from components.settings.service import (
    Container,
    Hooks,
    Permission,
    Retiring,
    Service,
    ServiceCircleCi,
    ServiceGitHub,
    ServiceLoadBalancer,
    SmokeCheck,
)
from components.settings.stack import Settings
from components.settings.values import SettingsModel

__all__ = [
    "Alarms",
    "Capacity",
    "Chatbot",
    "Ci",
    "Container",
    "CreateNetwork",
    "Deployment",
    "Hooks",
    "LoadBalancer",
    "LookUpNetwork",
    "Network",
    "Notifications",
    "Permission",
    "ResolvedService",
    "Retiring",
    "Secret",
    "Service",
    "ServiceCircleCi",
    "ServiceGitHub",
    "ServiceLoadBalancer",
    "Settings",
    "SettingsError",
    "SettingsModel",
    "SmokeCheck",
    "load",
    "of_stack",
    "resolved",
    "stack_config",
]
