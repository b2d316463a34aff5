"""kctl autoscale: a HorizontalPodAutoscaler for what stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.create.generator import require_flags
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.targets import Target, described

_AUTOSCALERS = built_in("autoscaling/v2", "HorizontalPodAutoscaler")
_INT32 = range(-(1 << 31), 1 << 31)


class Autoscale(ObjectOutput, Manifests, Command):
    """Create an autoscaler, which keeps the number of a workload's pods between two bounds as their load asks for.

    The workload is a deployment, replica set, stateful set, replication controller or whatever else has a scale.
    """

    name = "autoscale"
    blocking = True
    usage = "(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY]"
    examples = """
  # Between 2 and 10 pods, as the default policy decides
  kctl autoscale deployment foo --min=2 --max=10

  # Up to 5 pods, so that they use 80 % of the CPU they ask for
  kctl autoscale rc foo --max=5 --cpu=80%

  # Between 3 and 6 pods, of half a core and 200 MiB each
  kctl autoscale deployment bar --min=3 --max=6 --cpu=500m --memory=200Mi
"""

    cpu: str = flag(
        "--cpu",
        help='Target CPU utilization over all the pods. When specified as a percentage (e.g."70%" for 70% of requested CPU) it will target average utilization. When specified as quantity (e.g."500m" for 500 milliCPU) it will target average value. Value without units is treated as a quantity with miliCPU being the unit (e.g."500" is "500m").',
    )
    cpu_percent: int = flag("--cpu-percent", kind="int", default=-1, hidden=True, help="Deprecated: use --cpu.")
    dry_run: str = options.dry_run()
    field_manager: str = options.field_manager("kubectl-autoscale")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to autoscale.")
    max: int = flag(
        "--max", kind="int", default=-1, help="The upper limit for the number of pods that can be set by the autoscaler. Required."
    )
    memory: str = flag(
        "--memory",
        help='Target memory utilization over all the pods. When specified  as a percentage (e.g."60%" for 60% of requested memory) it will target average utilization. When specified as quantity (e.g."200Mi" for 200 MiB, "1Gi" for 1 GiB) it will target average value. Value without units is treated as a quantity with mebibytes being the unit (e.g."200" is "200Mi").',
    )
    min: int = flag(
        "--min",
        kind="int",
        default=-1,
        help="The lower limit for the number of pods that can be set by the autoscaler. If it's not specified or negative, the server will apply a default value.",
    )
    autoscaler_name: str = flag(
        "--name", help="The name for the newly created object. If not specified, the name of the input resource will be used."
    )
    save_config: bool = options.save_config()

    def complete(self) -> None:
        if self.changed("cpu_percent"):
            self.session.error(
                "Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format "
                "(e.g., '70%' for utilization or '500m' for milliCPU)."
            )
        require_flags(self.session, "max")

    def validate(self) -> None:
        if self.max < 1:
            raise CommandError(f"--max=MAXPODS is required and must be at least 1, max: {self.max}")
        if self.max < self.min:
            raise CommandError(f"--max=MAXPODS must be larger or equal to --min=MINPODS, max: {self.max}, min: {self.min}")
        if self.changed("cpu_percent") and self.cpu:
            raise CommandError("--cpu-percent and --cpu are mutually exclusive")

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results.of(self, strategy, in_field_order=True)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        targets = await described(builder, self.arguments)
        for target in targets:
            try:
                autoscaler = self._autoscaler(target)
                if strategy != "client":
                    autoscaler = await self._create(autoscaler, strategy == "server")
                results.print(_AUTOSCALERS, autoscaler, "created" if strategy == "client" else "autoscaled")
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()
        if not targets:
            raise CommandError("no objects passed to autoscale")

    async def _create(self, autoscaler: Object, dry_run: bool) -> Object:
        if self.save_config:
            from kctl.cli.apply.last_applied import annotated

            autoscaler = annotated(autoscaler, in_field_order=True)
        client = await self.session.client()
        return await client.create(_AUTOSCALERS, autoscaler, self.session.namespace, dry_run=dry_run, field_manager=self.field_manager)

    def _autoscaler(self, target: Target) -> Object:
        resource = target.resource
        if resource.subresource("scale") is None:
            where = f"{resource.group}/{resource.version}, Resource={resource.plural}"
            raise CommandError(f"cannot autoscale a {resource.kind}: could not find scale subresource for {where} in discovery information")
        reference = {"kind": resource.kind, "name": target.name, "apiVersion": resource.api_version}
        spec: Object = {"scaleTargetRef": reference}
        if self.min > 0:
            spec["minReplicas"] = self.min
        spec["maxReplicas"] = self.max
        metrics = [_metric(name, value, unit) for name, value, unit in (("cpu", self._cpu(), "m"), ("memory", self.memory, "Mi")) if value]
        if metrics:
            spec["metrics"] = metrics
        status = {"desiredReplicas": 0, "currentMetrics": None}
        meta = {"name": self.autoscaler_name or target.name}
        return {"kind": _AUTOSCALERS.kind, "apiVersion": _AUTOSCALERS.api_version, "metadata": meta, "spec": spec, "status": status}

    def _cpu(self) -> str:
        return f"{self.cpu_percent}%" if self.cpu_percent >= 0 else self.cpu


def _metric(name: str, value: str, unit: str) -> dict[str, Any]:
    """`value` is a share of what the pods request (70%) or an amount, of `unit` where it names none."""
    target: dict[str, Any]
    if value.endswith("%"):
        target = {"type": "Utilization", "averageUtilization": _percentage(value[:-1])}
    else:
        text = value + unit if _is_number(value) else value
        if not quantity.valid(text):
            raise CommandError(f"invalid resource {name} value: {value}")
        target = {"type": "AverageValue", "averageValue": quantity.canonical(text)}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _percentage(text: str) -> int:
    import re

    if re.fullmatch(r"[+-]?[0-9]{1,10}", text) is None or int(text) < 0 or int(text) not in _INT32:
        raise CommandError(f"invalid percentage value: {text}")
    return int(text)


def _is_number(text: str) -> bool:
    import re

    return re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text) is not None
