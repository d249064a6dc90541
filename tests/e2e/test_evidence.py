"""Evidence for outsiders: programs of other makers follow the log from outside and check the proof of a mail.

Skipped loudly where there is no Go. On the local system the same programs judge in tests/judges.
"""

import hashlib
import subprocess
from functools import partial
from pathlib import Path

import pytest

from k8s.command import CommandError
from services.workbench.polling import until
from tests.e2e.compose_target import ComposeTarget
from tests.e2e.kind_target import KindTarget
from tests.support.judge_programs import own_judge
from tests.support.stories.story import Story, User
from tests.support.stories.target import Target

Deployed = KindTarget | ComposeTarget
IN_POD = "kubectl exec deploy/eventline-audit -- "
POLICY = f"{IN_POD}python -c \"import os; print(open(os.environ['APP_AUDIT_POLICY_FILE']).read(), end='')\""
SENT = "notification.sent"
JUDGE_S = 60.0


class Outsider:
    """Somebody with the programs, a policy, and the newest checkpoint that he has seen."""

    def __init__(self, url: str, policy: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._write("policy", policy.encode())
        self._seen = ""

    def follow(self) -> int:
        """Read the newest checkpoint, which must extend the one that was seen, and return its size."""
        signed = self._run("follows", self._url, self._folder / "policy", self._seen)
        self._seen = str(self._write("seen", signed))
        return int(signed.splitlines()[1])

    def check(self, proof: bytes) -> bytes:
        """Return the entry that a proof proves. Raises CalledProcessError."""
        return bytes.fromhex(self._run("proven", self._folder / "policy", self._write("proof", proof)).decode())

    def _write(self, name: str, content: bytes) -> Path:
        file = self._folder / name
        file.write_bytes(content)
        return file

    @staticmethod
    def _run(program: str, *arguments: object) -> bytes:
        argv = (str(own_judge(program)), *map(str, arguments))
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=JUDGE_S).stdout


@pytest.fixture
def deployed(target: Target) -> Deployed:
    """A system whose commands run in containers."""
    if not isinstance(target, Deployed):
        pytest.skip("tests/judges/test_real_run.py has the local system")
    return target


@pytest.fixture
def outsider(story: Story, deployed: Deployed, tmp_path: Path) -> Outsider:
    """An outsider who has seen a checkpoint."""
    story.await_audit(story.register_user())
    outsider = Outsider(deployed.urls["audit"], deployed.operate(POLICY), tmp_path)
    until("a checkpoint from outside", outsider.follow, passing=subprocess.CalledProcessError)
    return outsider


def test_programs_of_other_makers_follow_the_log_and_accept_the_proof_of_a_mail_just_sent(
    story: Story, deployed: Deployed, outsider: Outsider
) -> None:
    before = outsider.follow()
    user = story.register_user()
    story.await_mail(user)
    event, digest = sent(story, user)
    prove = f"{IN_POD}python -m services.audit prove {event} --into -"
    proof = until(f"a proof of {event}", partial(deployed.operate, prove), passing=CommandError).encode()
    entry = outsider.check(proof)
    assert b"notification.events.v1" in entry
    assert digest in entry
    assert outsider.follow() > before
    index = next(line for line in proof.splitlines() if line.startswith(b"index "))
    with pytest.raises(subprocess.CalledProcessError):
        outsider.check(proof.replace(index, index + b"0"))
    with pytest.raises(CommandError, match="no entry has the event id"):
        deployed.operate(f"{IN_POD}python -m services.audit prove {user.correlation_id}-unknown")


def sent(story: Story, user: User) -> tuple[str, bytes]:
    """Return the id of the event that records a user's mail as sent, and the SHA-256 of its record's value."""
    entries = story.await_audit(user)
    (entry,) = [entry for entry in entries if entry["type"] == SENT]
    (event,) = [event for event in story.journey(user.correlation_id)["events"] if event["type"] == SENT]
    return event["id"], hashlib.sha256(entry["value"].encode()).digest()
