"""The Email Router: the other channel, for organizations that want providers of their own (email-router-providers reference).

router = EmailRouter("EmailAgent.xml", {"Contoso": organization}, connector=SocketConnector(), clock=SystemClock())
router.run()
"""

from __future__ import annotations

from postroom.channels.email_router.events import EVENTS, RouterEvent
from postroom.channels.email_router.instances import InstanceStatus
from postroom.channels.email_router.reload import ReloadReport
from postroom.channels.email_router.service import EmailRouter
from postroom.rules.router_runs import InstanceState

__all__ = ["EVENTS", "EmailRouter", "InstanceState", "InstanceStatus", "ReloadReport", "RouterEvent"]
