"""The commands: `python -m k8s cluster|deploy|undeploy|destroy|doctor|usage`."""

import sys
from collections.abc import Callable

import typer
from rich.console import Console

from k8s import cluster, release
from k8s import deploy as deployment
from k8s import usage as using
from k8s.command import DeployError
from k8s.doctor import examine
from k8s.steps import Steps

app = typer.Typer(
    help="The whole system in a kind cluster on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()


@app.command("cluster")
def make_cluster() -> None:
    """Make the kind cluster unless it is there."""
    _guarded(lambda: deployment.make_cluster(Steps(console)))


@app.command("deploy")
def deploy() -> None:
    """Bring the whole system up in the kind cluster."""
    _guarded(lambda: deployment.deploy(console))


@app.command("undeploy")
def undeploy() -> None:
    """Remove the release and all its data; the cluster stays."""
    _guarded(_undeploy)


@app.command("destroy")
def destroy() -> None:
    """Remove the cluster, its context and its network."""
    _guarded(_destroy)


@app.command("doctor")
def doctor() -> None:
    """Report what this machine lacks, and prove that the cluster keeps NetworkPolicies."""
    if not examine(console, deployment.ports()):
        raise typer.Exit(1)


@app.command("usage")
def usage(seconds: float = 0.0) -> None:
    """Print the most that each part took within so many seconds, by the kubelets."""
    _guarded(lambda: print(using.table(using.watch(seconds))))  # noqa: T201  # to be copied


def _undeploy() -> None:
    if not cluster.exists():
        console.print("there is no cluster")
        return
    with Steps(console).step("The release and its data are removed") as step:
        step.note = "" if release.remove() else "there was none"


def _destroy() -> None:
    with Steps(console).step("The cluster is removed") as step:
        step.note = "" if cluster.destroy() else "there was none"


def _guarded(work: Callable[[], None]) -> None:
    try:
        work()
    except DeployError as error:
        console.print(f"\n{error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    app()
