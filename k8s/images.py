"""Our images on their way into the cluster. A tag is made from what an image holds, so that a change rolls its pods.

It does not build: `make images` does.
"""

import hashlib
import json

from k8s.command import CLUSTER, NODE, CommandError, DeployError, run
from services.contracts.service_list import JOBS

BUILT = "dev"  # the tag that `make images` gives


def tags() -> dict[str, str]:
    """Return the tag of each service's image, made from its layers and configuration but not its labels or age."""
    return {service: _tag(f"eventline/{service}:{BUILT}") for service in JOBS}


def load(wanted: dict[str, str]) -> str:
    """Load the images that the node lacks, and report them."""
    present = run("docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet").split()
    missing = {name: tag for name, tag in wanted.items() if f"docker.io/eventline/{name}:{tag}" not in present}
    references = [f"eventline/{name}:{tag}" for name, tag in missing.items()]
    for name, tag in missing.items():
        run("docker", "tag", f"eventline/{name}:{BUILT}", f"eventline/{name}:{tag}")
    if references:
        run("kind", "load", "docker-image", "--name", CLUSTER, *references)
        run("docker", "rmi", "--no-prune", *references)  # the name only: `dev` keeps the image
    return f"loaded {', '.join(missing)}" if missing else "unchanged"


def _tag(reference: str) -> str:
    try:
        (image,) = json.loads(run("docker", "image", "inspect", reference))
    except CommandError as error:
        raise DeployError(f"there is no image {reference}: `make images` builds it") from error
    config = {key: value for key, value in image["Config"].items() if key in {"Env", "Entrypoint", "Cmd", "User"}}
    content = json.dumps([image["RootFS"]["Layers"], config], sort_keys=True)
    return f"sha-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
