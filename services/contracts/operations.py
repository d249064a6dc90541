"""Actions of operators, published by the service in whose store they took effect.

One type for every action, as all have the same shape: a new tool needs no new type and no change of any reader.
"""

import msgspec

TOPIC = "operations.v1"
ACTED = "operator.acted"


class OperatorActed(msgspec.Struct, frozen=True, kw_only=True):
    """`operator.acted`: an operator used a tool that reads or changes what a service keeps.

    `action` is the command, such as `relay.pause`; `selection` is what it was about, `count` how many of them, `reason`
    the operator's own words, empty where the tool asks for none. `operator` is verified if a login proved the name;
    otherwise it is the user of the operating system on `host`, as the tool found it. `ce_actor` has the same name.
    """

    action: str
    selection: str
    count: int
    reason: str
    operator: str
    host: str
    verified: bool


def source_of(service: str) -> str:
    """Return the `ce_source` of the actions in a service's store."""
    return f"/{service}/operations"
