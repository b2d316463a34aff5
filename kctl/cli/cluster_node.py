"""`kctl cluster node`: let simulated nodes fail, be slow, vanish and come back. It writes annotations on Nodes, as anybody may
(docs/simulated-nodes.md), through the same connection as every other command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kctl.cli.session import Session
    from kctl.client.client import Client

KUBELET = "kctl.dev/kubelet"
SIMULATED = "kctl.dev/simulated"
_names = click.argument("names", nargs=-1, required=True, metavar="NAME...")


@click.group("node", short_help="Let simulated nodes fail, be slow, vanish and come back")
def node() -> None:
    """Trouble for simulated nodes, to see what the control plane and your workload make of it."""


def _run(session: Session, work: Callable[[Client], Awaitable[None]]) -> None:
    """With a client of the current cluster; failures are worded where all commands' are."""

    async def run() -> None:
        await work(await session.client())

    session.run(run(), blocking=True)


async def _annotate(client: Client, name: str, changes: dict[str, str | None], said: str) -> None:
    """None removes an annotation."""
    from kctl.apimachinery.resources import NODES

    await client.patch(NODES, name, {"metadata": {"annotations": changes}})
    click.echo(f"node/{name} {said}")


@node.command("fail", short_help="Stop a node's kubelet, or its container runtime")
@_names
@click.option("--not-ready", is_flag=True, help="The container runtime is down: the kubelet lives and reports NotReady at once.")
@click.pass_obj
def fail(session: Session, names: tuple[str, ...], not_ready: bool) -> None:
    """Stop the kubelets of nodes, as when a machine dies or is cut off: no heartbeat comes any more, so that after 40 seconds the node is
    NotReady (Unknown) and after five minutes its pods are evicted. With --not-ready the kubelet itself says so at once."""
    state = "not-ready" if not_ready else "stopped"

    async def work(client: Client) -> None:
        for name in names:
            await _annotate(client, name, {KUBELET: state}, "not ready" if not_ready else "failed")

    _run(session, work)


@node.command("slow", short_help="Let everything on a node take longer")
@_names
@click.option("--delay", default="5s", show_default=True, help="What starting, pulling and stopping a container takes: 5s, 500ms, 2s-10s.")
@click.pass_obj
def slow(session: Session, names: tuple[str, ...], delay: str) -> None:
    """Let containers of nodes take longer to be pulled, started and stopped. Pods with settings of their own keep those."""

    async def work(client: Client) -> None:
        changes: dict[str, str | None] = {f"kctl.dev/{name}": delay for name in ("start-delay", "image-pull-duration", "stop-duration")}
        for name in names:
            await _annotate(client, name, changes, "slow")

    _run(session, work)


@node.command("recover", short_help="End what troubles a node; bring one back that was removed")
@_names
@click.pass_obj
def recover(session: Session, names: tuple[str, ...]) -> None:
    """End all trouble of nodes: remove every kctl.dev annotation but the one that makes a node simulated. A node that is gone comes back,
    empty, with the size of the other nodes."""

    async def work(client: Client) -> None:
        for name in names:
            await _recover(client, name)

    _run(session, work)


async def _recover(client: Client, name: str) -> None:
    from kctl.apimachinery import objects
    from kctl.apimachinery.resources import NODES
    from kctl.apimachinery.status import NotFound

    try:
        node = await client.get(NODES, name)
    except NotFound:
        await _create(client, name)
        return
    ours = [key for key in objects.annotations(node) if key.startswith("kctl.dev/") and key != SIMULATED]
    await _annotate(client, name, dict.fromkeys(ours), "recovered")


async def _create(client: Client, name: str) -> None:
    """A simulated node like the others (the first that is no control plane, where there is one)."""
    from kctl.apimachinery import objects
    from kctl.apimachinery.resources import NODES

    present = (await client.list(NODES)).get("items") or []
    like: dict[str, Any] = next((node for node in present if "node-role.kubernetes.io/control-plane" not in objects.labels(node)), {})
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {SIMULATED: "true"}},
        "status": {"capacity": objects.status(like or (present[0] if present else {})).get("capacity") or {}},
    }
    await client.create(NODES, body)
    click.echo(f"node/{name} recovered")


@node.command("remove", short_help="Take a machine away")
@_names
@click.pass_obj
def remove(session: Session, names: tuple[str, ...]) -> None:
    """Take nodes away, as when a cloud deletes machines: the Node objects go at once, their pods soon after. `recover` brings one back."""

    async def work(client: Client) -> None:
        from kctl.apimachinery.resources import NODES

        for name in names:
            await client.delete(NODES, name)
            click.echo(f"node/{name} removed")

    _run(session, work)
