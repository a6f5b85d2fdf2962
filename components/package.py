"""The components for other programs, which are published as the component package `ecs-release`.

docs/components.md says what each is for and how a program gets them.
"""

from components.foundation.bucket import PrivateBucket
from components.foundation.dead_letters import DeadLetters
from components.foundation.network import Network
from components.handoff.bucket import Handoff
from components.handoff.ci_identity import CiIdentity
from components.handoff.registry import Registry
from components.notices.notifier import Notifier
from components.workload.load_balancer import LoadBalancer

NAME = "ecs-release"
"""The package's name, with which the type token of every component begins."""

PUBLIC = (Network, LoadBalancer, PrivateBucket, Handoff, Registry, CiIdentity, DeadLetters, Notifier)
"""Their arguments and outputs are kept from the first tag on; tests/snapshots/package.json holds them."""
