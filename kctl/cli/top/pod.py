"""kctl top pod."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from kctl.apimachinery import objects, times
from kctl.apimachinery.metrics_resources import POD_METRICS
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.cli import options
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.top.usage import CPU, MEMORY, SWAP, TopCommand, Usage, cell, total, usage_of

_AGE_WITHOUT_METRICS = timedelta(minutes=2)
_LINE = "________"


class TopPod(TopCommand):
    """Display resource (CPU/memory) usage of pods.

    Metrics of a pod are there as soon as it runs.
    """

    name = "pod"
    usage = "[NAME | -l label]"
    examples = """
  # Of all pods of the namespace
  kctl top pod

  # Of one pod and its containers
  kctl top pod POD_NAME --containers

  # Of the pods with a label, the hungriest first
  kctl top pod -l name=myLabel --sort-by=cpu
"""
    metrics = POD_METRICS
    all_namespaces: bool = options.all_namespaces()
    containers: bool = flag("--containers", kind="bool", help="If present, print usage of containers within a pod.")
    field_selector: str = options.field_selector()
    sum: bool = flag("--sum", kind="bool", help="Print the sum of the resource usage")

    def validate(self) -> None:
        super().validate()
        if self.arguments and self.field_selector:
            raise CommandError("only one of NAME or selector can be provided")

    async def run(self) -> None:
        namespace = "" if self.all_namespaces and not self.arguments else self.session.namespace
        found = await self.ask(namespace, self.field_selector)
        if not found:
            await self._nothing(namespace)
            return
        resources = [CPU, MEMORY, *([SWAP] if self.show_swap else [])]
        pods = self.ordered(
            found, _of_pod, lambda pod: f"{objects.namespace(pod)}/{objects.name(pod)}" if not namespace else objects.name(pod)
        )
        rows = []
        for pod in pods:
            space = [objects.namespace(pod)] if self.all_namespaces else []
            if self.containers:
                parts = self.ordered(list(pod.get("containers") or ()), usage_of, lambda part: str(part["name"]))
                rows += [[*space, objects.name(pod), part["name"], *_cells(usage_of(part), resources)] for part in parts]
            else:
                rows.append([*space, objects.name(pod), *_cells(_of_pod(pod), resources)])
        if self.sum:
            head = [""] * (len(rows[0]) - len(resources))
            rows.append([*head, *[_LINE] * len(resources)])
            rows.append([*head, *_cells(total([_of_pod(pod) for pod in found]), resources)])
        self.show(self._header(), rows)

    def _header(self) -> list[str]:
        first = ["NAMESPACE"] if self.all_namespaces else []
        names = ["POD", "NAME"] if self.containers else ["NAME"]
        return [*first, *names, "CPU(cores)", "MEMORY(bytes)", *(["SWAP(bytes)"] if self.show_swap else [])]

    async def _nothing(self, namespace: str) -> None:
        """Pods that have run for a while should have metrics."""
        client = await self.session.client()
        listed = await client.list(PODS, namespace, label_selector=self.selector, field_selector=self.field_selector)
        for pod in listed.get("items") or ():
            age = self.session.now() - times.parse(pod["metadata"]["creationTimestamp"])
            if age > _AGE_WITHOUT_METRICS:
                raise CommandError(f"Metrics not available for pod {objects.key(pod)}, age: {age}")
            raise CommandError("metrics not available yet")
        where = "" if self.all_namespaces else f" in {self.session.namespace} namespace"
        self.session.error(f"No resources found{where}." if where else "No resources found")


def _of_pod(pod: Object) -> Usage:
    return total([usage_of(part) for part in pod.get("containers") or ()])


def _cells(usage: Usage, resources: list[str]) -> list[str]:
    """kubectl shows what a pod says nothing of as none of it."""
    return [cell(resource, usage.get(resource, Fraction(0))) for resource in resources]
