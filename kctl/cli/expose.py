"""kctl expose: a Service for what stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICES, ResourceType
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.overrides import flag_override_type, flag_overrides, overridden
from kctl.cli.results import Results
from kctl.cli.run import pairs
from kctl.cli.targets import Target, described

_EXPOSABLE = frozenset(["services", "replicationcontrollers", "pods", "deployments.apps", "replicasets.apps"])
_LONGEST_NAME = 63


class Expose(ObjectOutput, Manifests, Command):
    """Expose a resource as a new Kubernetes service.

    The selector of a deployment, replica set, replication controller or service, or the labels of a pod, become the selector of a new
    service. Without --port it serves every port that the resource has; without --labels it gets the resource's labels.
    """

    name = "expose"
    blocking = True
    usage = "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]"
    examples = """
  # A service for the pods of a replication controller: port 80, which leads to their port 8000
  kctl expose rc nginx --port=80 --target-port=8000

  # The same for the controller that a file describes
  kctl expose -f nginx-controller.yaml --port=80 --target-port=8000

  # A service named "frontend" for one pod
  kctl expose pod valid-pod --port=444 --name=frontend

  # A second service beside one that stands
  kctl expose service nginx --port=443 --target-port=8443 --name=nginx-https

  # UDP
  kctl expose deployment streamer --port=4100 --protocol=UDP --name=video-stream
"""

    cluster_ip: str = flag(
        "--cluster-ip",
        help="ClusterIP to be assigned to the service. Leave empty to auto-allocate, or set to 'None' to create a headless service.",
    )
    dry_run: str = options.dry_run()
    external_ip: str = flag(
        "--external-ip",
        help="Additional external IP address (not managed by Kubernetes) to accept for the service. If this IP is routed to a node, the service can be accessed by this IP in addition to its generated service IP.",
    )
    field_manager: str = options.field_manager("kubectl-expose")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files identifying the resource to expose a service")
    labels: str = flag("-l", "--labels", help="Labels to apply to the service created by this call.")
    load_balancer_ip: str = flag(
        "--load-balancer-ip",
        help="IP to assign to the LoadBalancer. If empty, an ephemeral IP will be created and used (cloud-provider specific).",
    )
    service_name: str = flag("--name", help="The name for the newly created object.")
    override_type: str = flag_override_type()
    overrides: str = flag_overrides()
    port: str = flag("--port", help="The port that the service should serve on. Copied from the resource being exposed, if unspecified")
    protocol: str = flag("--protocol", help="The network protocol for the service to be created. Default is 'TCP'.")
    save_config: bool = options.save_config()
    selector: str = flag(
        "--selector",
        help="A label selector to use for this service. Only equality-based selector requirements are supported. If empty (the default) infer the selector from the resource being exposed.",
    )
    session_affinity: str = flag(
        "--session-affinity", help="If non-empty, set the session affinity for the service to this; legal values: 'None', 'ClientIP'"
    )
    target_port: str = flag(
        "--target-port", help="Name or number for the port on the container that the service should direct traffic to. Optional."
    )
    service_type: str = flag(
        "--type", help="Type for this service: ClusterIP, NodePort, LoadBalancer, or ExternalName. Default is 'ClusterIP'."
    )

    def complete(self) -> None:
        self._protocols: dict[str, list[str]] = {}
        self._ports = ""
        """What was derived from the first of several objects goes for the others too, as kubectl has it."""
        self._selector: dict[str, str] | None = None
        self._labels: dict[str, str] | None = None

    async def run(self) -> None:
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        results = Results.of(self, strategy, in_field_order=True)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        for target in await described(builder, self.arguments):
            try:
                service = self._service(target)
                if self.overrides:
                    service = overridden(service, self.overrides, self.override_type)
                if strategy != "client":
                    service = await self._create(service, strategy == "server")
                results.print(SERVICES, service, "exposed")
            except (ApiError, CommandError) as error:
                builder.errors.append(error)
        builder.finish()

    async def _create(self, service: Object, dry_run: bool) -> Object:
        if self.save_config:
            from kctl.cli.apply.last_applied import annotated

            service = annotated(service, in_field_order=True)
        client = await self.session.client()
        return await client.create(SERVICES, service, self.session.namespace, dry_run=dry_run, field_manager=self.field_manager)

    def _service(self, target: Target) -> Object:
        resource, obj = target.resource, target.object
        if resource.group_resource not in _EXPOSABLE:
            raise CommandError(f"cannot expose a {resource.kind}{'.' if resource.group else ''}{resource.group}")
        self._derive(resource, obj)
        meta: Object = {"name": self.service_name or target.name[:_LONGEST_NAME]}
        if self._labels:
            meta["labels"] = self._labels
        spec: Object = {}
        ports = self._service_ports()
        if ports:
            spec["ports"] = ports
        spec["selector"] = self._selector
        if self.cluster_ip:
            spec["clusterIP"] = self.cluster_ip
        if self.service_type:
            spec["type"] = self.service_type
        if self.external_ip:
            spec["externalIPs"] = [self.external_ip]
        if self.session_affinity:
            if self.session_affinity not in ("None", "ClientIP"):
                raise CommandError(f"unknown session affinity: {self.session_affinity}")
            spec["sessionAffinity"] = self.session_affinity
        if self.service_type == "LoadBalancer" and self.load_balancer_ip:
            spec["loadBalancerIP"] = self.load_balancer_ip
        return {"kind": "Service", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {"loadBalancer": {}}}

    def _derive(self, resource: ResourceType, obj: Object) -> None:
        """What no flag says and nothing before has said: from the object."""
        if self._selector is None:
            self._selector = pairs(self.selector) if self.selector else _selector_of(resource, obj)
        container_ports = _ports_of(resource, obj)
        if not self.port:
            numbers = list(dict.fromkeys(str(number) for number, _ in container_ports))
            if not numbers and self.cluster_ip != "None":
                raise CommandError("couldn't find port via --port flag or introspection")
            if len(numbers) == 1:
                self.port = numbers[0]
            elif numbers:
                self._ports = ",".join(numbers)
        protocols: dict[str, list[str]] = {}
        for number, protocol in container_ports:
            known = protocols.setdefault(str(number), [])
            if protocol not in known:
                known.append(protocol)
        self._protocols = protocols or self._protocols
        if not self._labels:
            self._labels = pairs(self.labels) if self.labels else dict(objects.labels(obj))

    def _service_ports(self) -> list[dict[str, Any]]:
        numbers = (self._ports or self.port).split(",") if self._ports or self.port else []
        ports = []
        for place, text in enumerate(numbers, 1):
            number = _atoi(text)
            protocols = [self.protocol] if self.protocol else self._protocols.get(text) or ["TCP"]
            for protocol in protocols:
                name = f"port-{place}" if len(numbers) > 1 or len(protocols) > 1 else ""
                if len(protocols) > 1:
                    name += f"-{protocol.lower()}"
                target = self.target_port
                port: dict[str, Any] = {"name": name} if name else {}
                port |= {"protocol": protocol, "port": number, "targetPort": (_number_or_name(target) if target else number)}
                ports.append(port)
        return ports


def _selector_of(resource: ResourceType, obj: Object) -> dict[str, str]:
    """polymorphichelpers.MapBasedSelectorForObject"""
    introspection = "couldn't retrieve selectors via --selector flag or introspection: "
    if resource.plural == "pods":
        if not objects.labels(obj):
            raise CommandError(f"{introspection}the pod has no labels and cannot be exposed")
        return dict(objects.labels(obj))
    selector = objects.spec(obj).get("selector")
    if resource.plural == "services":
        if selector is None:
            raise CommandError(f"{introspection}the service has no pod selector set")
        return dict(selector)
    if resource.plural == "replicationcontrollers":
        return dict(selector or {})
    expressions = (selector or {}).get("matchExpressions")
    if not selector or (not selector.get("matchLabels") and not expressions):
        raise CommandError(f"{introspection}invalid {resource.kind.lower()}: no selectors, therefore cannot be exposed")
    if expressions:
        problem = f'couldn\'t convert expressions - "{_go_expressions(expressions)}" to map-based selector format'
        if not selector.get("matchLabels"):
            problem = f"invalid {resource.kind.lower()}: no selectors, therefore cannot be exposed"
        raise CommandError(introspection + problem)
    return dict(selector["matchLabels"])


def _go_expressions(expressions: Sequence[dict[str, Any]]) -> str:
    """As fmt's %+v prints []metav1.LabelSelectorRequirement."""
    shown = (f"{{Key:{each['key']} Operator:{each['operator']} Values:[{' '.join(each.get('values') or ())}]}}" for each in expressions)
    return f"[{' '.join(shown)}]"


def _ports_of(resource: ResourceType, obj: Object) -> list[tuple[int, str]]:
    """Number and protocol of each."""
    spec = objects.spec(obj)
    if resource.plural == "services":
        return [(port["port"], port.get("protocol") or "TCP") for port in spec.get("ports") or ()]
    pod_spec = spec if resource.plural == "pods" else (spec.get("template") or {}).get("spec") or {}
    return [
        (port["containerPort"], port.get("protocol") or "TCP")
        for container in pod_spec.get("containers") or ()
        for port in container.get("ports") or ()
    ]


def _atoi(text: str) -> int:
    """strconv.Atoi"""
    import re

    if re.fullmatch(r"[+-]?[0-9]+", text) is None:
        raise CommandError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if len(text) > 19 or abs(int(text)) >= 1 << 63:
        raise CommandError(f'strconv.Atoi: parsing "{text}": value out of range')
    return int(text)


def _number_or_name(text: str) -> int | str:
    try:
        return _atoi(text)
    except CommandError:
        return text
