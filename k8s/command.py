"""Programs that this package calls. An error carries the command, so that it can be pasted into a shell."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

CLUSTER = "eventline"
CONTEXT = f"kind-{CLUSTER}"
NODE = f"{CLUSTER}-control-plane"
NAMESPACE = "eventline"
RELEASE = "eventline"


class DeployError(Exception):
    """An error of deployment; its message names the problem and the next step."""


class CommandError(DeployError):
    """A program ended with an error; the message holds the command and its output."""

    def __init__(self, argv: tuple[str, ...], code: int, output: str) -> None:
        super().__init__(f"this command ended with exit code {code}:\n  {shlex.join(argv)}\n{output.strip()}")
        self.output = output


def run(*argv: str, text: str | None = None, seconds: float = 600, environment: Mapping[str, str] | None = None) -> str:
    """Run a program with `text` on its standard input and return its output; raises CommandError."""
    try:
        done = subprocess.run(  # programs named in this package, no shell
            argv, input=text, capture_output=True, text=True, check=False, timeout=seconds, env=environment
        )
    except FileNotFoundError:
        raise DeployError(f"{argv[0]} is not installed: `make doctor` shows how to get it") from None
    except subprocess.TimeoutExpired:
        raise CommandError(argv, -1, f"no end after {seconds:g} s") from None
    if done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout


def kubectl(*arguments: str, text: str | None = None) -> str:
    """Run kubectl in our cluster and namespace, whatever the current context is."""
    return run("kubectl", "--context", CONTEXT, "--namespace", NAMESPACE, *arguments, text=text)


def objects(*arguments: str) -> list[dict[str, Any]]:
    """Return the objects that `kubectl get` lists."""
    items: list[dict[str, Any]] = json.loads(kubectl("get", *arguments, "--output", "json"))["items"]
    return items


def helm(*arguments: str) -> str:
    """Run helm in our cluster and namespace."""
    return run("helm", *arguments, "--kube-context", CONTEXT, "--namespace", NAMESPACE)
