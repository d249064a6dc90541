"""Two further releases of the system, as images: `user.profile_changed` gets a version 2, as docs/extending.md has it.

FIRST reads both versions and writes version 1, SECOND writes version 2. Each is the deployed image with its contract
changed: in version 2 the member `full_name` is `name`.
"""

from pathlib import Path

from k8s.command import CLUSTER, run
from k8s.images import BUILT
from services.contracts.service_list import JOBS

KIND = "user.profile_changed"
FIRST, SECOND = "e2e-first", "e2e-second"
WRITES = {FIRST: "lambda new: ProfileChanged1(Profile1(new.personal.full_name, new.personal.locale))", SECOND: "None"}
CONTRACT = Path("services/contracts/user.py")
PROFILE = "class Profile(msgspec.Struct, frozen=True"
VERSION_2 = f'{PROFILE}, rename={{"full_name": "name"}}'
VERSION_1 = """

from services.contracts.shapes import Earlier


class Profile1(msgspec.Struct, frozen=True):
    full_name: str
    locale: str


class ProfileChanged1(msgspec.Struct, frozen=True):
    personal: Profile1


ProfileChanged.EARLIER = (
    Earlier(
        ProfileChanged1,
        lambda old: ProfileChanged(Profile(old.personal.full_name, old.personal.locale)),
        {downcast},
    ),
)
"""
DOCKERFILE = f"""
ARG BASE
FROM ${{BASE}}
USER 0
COPY user.py {CONTRACT}
RUN python -m compileall -q -f --invalidation-mode unchecked-hash services/contracts
USER 10001:10001
"""


def load(folder: Path) -> None:
    """Build the images of both releases and load them into the cluster. Raises CommandError."""
    for release, downcast in WRITES.items():
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "user.py").write_text(contract(downcast))
        for name in JOBS:
            base = f"BASE=eventline/{name}:{BUILT}"
            run("docker", "build", "--quiet", "--build-arg", base, "--tag", f"eventline/{name}:{release}", str(folder))
    references = [f"eventline/{name}:{release}" for release in WRITES for name in JOBS]
    run("kind", "load", "docker-image", "--name", CLUSTER, *references)


def contract(downcast: str) -> str:
    """Return the contract of the user service with two versions of the fact."""
    text = CONTRACT.read_text()
    assert PROFILE in text, f"{CONTRACT} has no {PROFILE}: change VERSION_2 to fit"
    return text.replace(PROFILE, VERSION_2) + VERSION_1.format(downcast=downcast)
