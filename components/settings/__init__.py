"""Everything a stack can say, in one typed and validated model.

`load()` returns `Settings`, or raises `SettingsError` that lists every problem at once: the key, what stood there,
and what is allowed. Nothing has been registered at that point.

    values.py        kinds of value, and what every part has in common
    environment.py   parts that the services of an environment share
    service.py       a service and its parts
    stack.py         all of it together
    loading.py       from a stack's config to the model, and the messages
"""

from __future__ import annotations

from components.settings.environment import (
    Alarms,
    Capacity,
    Chatbot,
    Ci,
    CreateNetwork,
    LoadBalancer,
    LookUpNetwork,
    Network,
    Notifications,
    Secret,
)
from components.settings.loading import SettingsError, load, of_stack, stack_config
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
    "Hooks",
    "LoadBalancer",
    "LookUpNetwork",
    "Network",
    "Notifications",
    "Permission",
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
    "stack_config",
]
