"""The policy file of the log: which witnesses are asked, and where."""

from pathlib import Path

from services.audit.notary.cosigning import Witnesses
from services.chassis.transparency.keys import Verifier
from services.chassis.transparency.policy import Policy
from services.chassis.transparency.witness_client import WitnessClient


class PolicyFileError(ValueError):
    """The policy file cannot be used; the message has the remedy."""


def read_witnesses(path: Path, log: Verifier) -> Witnesses:
    """Return the witnesses of a policy of this log. Raises PolicyFileError."""
    try:
        policy = Policy.parse(path.read_text())
        clients = {name: WitnessClient(one.url or "", one.verifier) for name, one in policy.witnesses.items()}
    except (OSError, ValueError) as error:
        raise PolicyFileError(f"the policy {path} in APP_AUDIT_POLICY_FILE cannot be used: {error}") from error
    if log not in {known.verifier for known in policy.logs}:
        raise PolicyFileError(f"the policy {path} has no line for the key that signs: add `log {log.vkey}`")
    return Witnesses(policy, clients)
