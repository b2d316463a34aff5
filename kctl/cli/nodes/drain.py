"""kctl drain: keep new pods off nodes and move those away that run there, respecting disruption budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, NotFound, TooManyRequests
from kctl.apimachinery.times import go_duration
from kctl.cli.deletion import Deleted, wait_one_gone
from kctl.cli.errors import AggregateError, CommandError, plain, raise_all
from kctl.cli.flags import flag
from kctl.cli.nodes.cordon import NodeCommand
from kctl.cli.nodes.drain_filters import Plan, Rules, plan
from kctl.cli.targets import Target
from kctl.cli.terminal import Steps, ticking

_RETRY_SECONDS = 5.0


class Drain(NodeCommand):
    """Drain a node in preparation for maintenance.

    The node is marked unschedulable, and its pods are evicted (or deleted, with --disable-eviction) and waited for. Mirror pods
    stay; pods of a DaemonSet stay too, and stop the drain unless --ignore-daemonsets is given, since their controller would
    make them again at once. Pods without a controller stop it unless --force is given, pods with an emptyDir unless
    --delete-emptydir-data is. "kctl uncordon" puts the node back into service.
    """

    name = "drain"
    examples = """
  # Drain node "foo", pods without a controller included
  kctl drain foo --force

  # As above, but stop at pods without a controller, and give each pod 15 minutes
  kctl drain foo --grace-period=900
"""

    chunk_size: int = flag(
        "--chunk-size", kind="int", default=500, help="Return large lists in chunks rather than all at once. Pass 0 to disable."
    )
    delete_emptydir_data: bool = flag(
        "--delete-emptydir-data",
        kind="bool",
        help="Continue even if there are pods using emptyDir (local data that will be deleted when the node is drained).",
    )
    disable_eviction: bool = flag(
        "--disable-eviction",
        kind="bool",
        help="Force drain to use delete, even if eviction is supported. This will bypass checking PodDisruptionBudgets, use with caution.",
    )
    force: bool = flag("--force", kind="bool", help="Continue even if there are pods that do not declare a controller.")
    grace_period: int = flag(
        "--grace-period",
        kind="int",
        default=-1,
        help="Period of time in seconds given to each pod to terminate gracefully. If negative, the default value specified in the pod will be used.",
    )
    ignore_daemonsets: bool = flag("--ignore-daemonsets", kind="bool", help="Ignore DaemonSet-managed pods.")
    pod_selector: str = flag("--pod-selector", help="Label selector to filter pods on the node")
    skip_wait_for_delete_timeout: int = flag(
        "--skip-wait-for-delete-timeout",
        kind="int",
        help="If pod DeletionTimestamp older than N seconds, skip waiting for the pod.  Seconds must be greater than 0 to skip.",
    )
    timeout: float = flag("--timeout", kind="duration", help="The length of time to wait before giving up, zero means infinite")

    async def run(self) -> None:
        nodes = await self.nodes()
        await self.mark(nodes)
        failures: dict[str, Sequence[Exception]] = {}
        for node in nodes:
            try:
                await self._empty(node)
            except (ApiError, CommandError, AggregateError) as error:
                text = _text(error)
                self.session.error(f'error: unable to drain node "{node.name}" due to error: {text}, continuing command...')
                failures[node.name] = error.errors if isinstance(error, AggregateError) else [error]
                continue
            self.say(f"node/{node.name}", "drained")
        if not failures:
            return
        self.session.error("There are pending nodes to be drained:")
        for name in failures:
            self.session.error(f" {name}")
        raise AggregateError([error for errors in failures.values() for error in errors])

    async def _plan(self, node: str) -> Plan:
        client = await self.session.client()
        pods: list[Object] = []
        token = ""
        while True:
            listed = await client.list(
                PODS,
                label_selector=self.pod_selector,
                field_selector=f"spec.nodeName={node}",
                limit=max(self.chunk_size, 0),
                continue_token=token,
            )
            pods += listed.get("items") or ()
            token = (listed.get("metadata") or {}).get("continue") or ""
            if not token:
                break
        rules = Rules(self.ignore_daemonsets, self.delete_emptydir_data, self.force, self.skip_wait_for_delete_timeout, self.session.now())
        return await plan(client, pods, rules)

    async def _empty(self, node: Target) -> None:
        plan = await self._plan(node.name)
        raise_all(plan.problems)
        if plan.warnings:
            self.session.error(f"Warning: {plan.warnings}")
        if self.strategy == "client":
            for pod in plan.pods:
                self.session.print(f"evicting pod {_path(pod)} (dry run)")
            return
        try:
            await self._remove(plan.pods)
        except (ApiError, CommandError, AggregateError) as error:
            await self._report_pending(node.name, _text(error))
            raise

    async def _report_pending(self, node: str, why: str) -> None:
        pending = await self._plan(node)
        if pending.pods:
            self.session.error(f'There are pending pods in node "{node}" when an error occurred: {why}')
            for pod in pending.pods:
                self.session.error(f"pod/{objects.name(pod)}")

    async def _remove(self, pods: Sequence[Object]) -> None:
        """All at the same time, within --timeout."""
        remove = self._delete if self.disable_eviction else self._evict
        with Steps(self.session, "Draining", len(pods)) as steps:

            async def one(pod: Object) -> None:
                steps.at(f"pod/{objects.name(pod)}")
                await remove(pod)
                steps.done()

            try:
                async with asyncio.timeout(self.timeout or None):
                    results = await ticking(steps, asyncio.gather(*(one(pod) for pod in pods), return_exceptions=True))
            except TimeoutError:
                raise CommandError(f"global timeout reached: {go_duration(self.timeout)}") from None
        failures = [result for result in results if isinstance(result, Exception)]
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, ApiError | CommandError | AggregateError):
                raise result
        raise_all(failures)

    async def _evict(self, pod: Object) -> None:
        name, namespace = objects.name(pod), objects.namespace(pod)
        mark = " (server dry run)" if self.strategy == "server" else ""
        while True:
            self.session.print(f"evicting pod {_path(pod)}{mark}")
            try:
                await self._request_eviction(name, namespace)
                break
            except NotFound:
                return
            except TooManyRequests as error:
                self.session.error(f'error when evicting pods/"{name}" -n "{namespace}" (will retry after 5s): {plain(error)}')
                await asyncio.sleep(_RETRY_SECONDS)
            except ApiError as error:
                raise CommandError(f'error when evicting pods/"{name}" -n "{namespace}": {plain(error)}') from None
        await self._wait(pod, "evicted")

    async def _request_eviction(self, name: str, namespace: str) -> None:
        choices: Object = {"gracePeriodSeconds": self.grace_period} if self.grace_period >= 0 else {}
        if self.strategy == "server":
            choices["dryRun"] = ["All"]
        body: Object = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        if choices:
            body["deleteOptions"] = choices
        await (await self.session.client()).create_subresource(PODS, name, namespace, "eviction", body)

    async def _delete(self, pod: Object) -> None:
        client = await self.session.client()
        try:
            await client.delete(
                PODS,
                objects.name(pod),
                objects.namespace(pod),
                grace_period_seconds=self.grace_period if self.grace_period >= 0 else None,
                dry_run=self.strategy == "server",
            )
        except NotFound:
            return
        await self._wait(pod, "deleted")

    async def _wait(self, pod: Object, done: str) -> None:
        if self.strategy == "server":
            return
        await wait_one_gone(self.session, Deleted(PODS, objects.namespace(pod), objects.name(pod), objects.uid(pod)))
        self.say(f"pod/{objects.name(pod)}", done)


def _path(pod: Object) -> str:
    return f"{objects.namespace(pod)}/{objects.name(pod)}"


def _text(error: Exception) -> str:
    """As Go's aggregate prints itself: several in brackets."""
    if isinstance(error, AggregateError):
        return f"[{', '.join(plain(nested) for nested in error.errors)}]"
    return plain(error)
