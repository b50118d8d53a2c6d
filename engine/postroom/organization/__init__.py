"""The organization: the CRM's side of the engine.

deployment = Deployment(clock)
organization = deployment.create_organization("contoso", requireapprovalforuseremail=False)
profile = organization.create(SYSTEM, "emailserverprofile", name="mail", servertype=1, incomingserverlocation="mail.test")
user = organization.create(SYSTEM, "systemuser", internalemailaddress="ada@contoso.test", incomingemaildeliverymethod=2)
"""

from __future__ import annotations

from postroom.model.deployment import DeploymentSettings
from postroom.organization.callers import SYSTEM, Caller
from postroom.organization.deployment import Deployment
from postroom.organization.organization import Organization
from postroom.organization.values import Connection, DueMailbox, GatewayBinding, Operation, RunFailure, Scope

__all__ = [
    "SYSTEM",
    "Caller",
    "Connection",
    "Deployment",
    "DeploymentSettings",
    "DueMailbox",
    "GatewayBinding",
    "Operation",
    "Organization",
    "RunFailure",
    "Scope",
]
