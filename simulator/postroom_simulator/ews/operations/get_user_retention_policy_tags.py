"""GetUserRetentionPolicyTags (ews reference 4): the tags that the server is set to have, `world.ews.retention_tags`."""

from __future__ import annotations

from postroom_simulator.ews.call import Call, Value, success


def handle(call: Call, _: Value) -> Value:
    return success(RetentionPolicyTags={"RetentionPolicyTag": [one.value() for one in call.service.retention_tags]})
