"""Table columns of the groups about the cluster itself: certificates, coordination, flowcontrol, node, apiregistration..."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, described
from kctl.kube_apiserver.columns.core import NONE, created


def _request_state(obj: Object) -> str:
    status = objects.status(obj)
    kinds = [condition.get("type") for condition in status.get("conditions") or ()]
    state = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    return state + (",Failed" if "Failed" in kinds else "") + (",Issued" if status.get("certificate") else "")


def _signing_request(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    seconds = spec.get("expirationSeconds")
    duration = NONE if seconds is None else times.human_duration(timedelta(seconds=seconds))
    return [
        objects.name(obj),
        created(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username") or "",
        duration,
        _request_state(obj),
    ]


def _trust_bundle(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), objects.spec(obj).get("signerName") or NONE]


def _lease(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), objects.spec(obj).get("holderIdentity") or "", created(obj, now)]


def _lease_candidate(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    shown = [spec.get(name) or "" for name in ("leaseName", "binaryVersion", "emulationVersion")]
    return [objects.name(obj), *shown, created(obj, now)]


def _flow_schema(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    dangling = objects.condition(obj, "Dangling")
    return [
        objects.name(obj),
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        created(obj, now),
        "?" if dangling is None else dangling.get("status") or "",
    ]


def _priority_level(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    limited = spec.get("limited")
    queuing = ((limited or {}).get("limitResponse") or {}).get("queuing")
    shares = NONE if limited is None else limited.get("nominalConcurrencyShares") or 0
    shown = [NONE if queuing is None else queuing.get(name) or 0 for name in ("queues", "handSize", "queueLengthLimit")]
    return [objects.name(obj), spec.get("type") or "", shares, *shown, created(obj, now)]


def _flow_order(obj: Object) -> tuple[Any, ...]:
    return (objects.spec(obj).get("matchingPrecedence") or 0, objects.name(obj))


def _runtime_class(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), obj.get("handler") or "", created(obj, now)]


def _api_service(obj: Object, now: datetime) -> list[Any]:
    service = objects.spec(obj).get("service")
    where = "Local" if service is None else f"{service.get('namespace') or ''}/{service.get('name') or ''}"
    available = objects.condition(obj, "Available") or {}
    shown = available.get("status") or "Unknown"
    if shown != "True" and available.get("reason"):
        shown = f"{shown} ({available['reason']})"
    return [objects.name(obj), where, shown, created(obj, now)]


def _storage_version(obj: Object, now: datetime) -> list[Any]:
    status = objects.status(obj)
    versions = [
        f"{server.get('apiServerID') or ''}={server.get('encodingVersion') or ''}" for server in status.get("storageVersions") or ()
    ]
    shown = ",".join(versions) if versions else "<unset>"
    return [objects.name(obj), status.get("commonEncodingVersion") or "<unset>", shown, created(obj, now)]


def _migration(obj: Object, now: datetime) -> list[Any]:
    resource = objects.spec(obj).get("resource") or {}
    return [objects.name(obj), ".".join(part for part in (resource.get("resource"), resource.get("group")) if part)]


COLUMNS: dict[str, Columns] = {
    "certificatesigningrequests.certificates.k8s.io": Columns(
        (
            NAME,
            AGE,
            described("SignerName", "CertificateSigningRequestSpec.signerName"),
            described("Requestor", "CertificateSigningRequestSpec.request"),
            described("RequestedDuration", "CertificateSigningRequestSpec.expirationSeconds"),
            described("Condition", "CertificateSigningRequestStatus.conditions"),
        ),
        _signing_request,
    ),
    "clustertrustbundles.certificates.k8s.io": Columns((NAME, described("SignerName", "ClusterTrustBundleSpec.signerName")), _trust_bundle),
    "leases.coordination.k8s.io": Columns((NAME, described("Holder", "LeaseSpec.holderIdentity"), AGE), _lease),
    "leasecandidates.coordination.k8s.io": Columns(
        (
            NAME,
            described("LeaseName", "coordination.v1alpha2.LeaseCandidateSpec.leaseName"),
            Column("BinaryVersion", ""),
            Column("EmulationVersion", ""),
            AGE,
        ),
        _lease_candidate,
    ),
    "flowschemas.flowcontrol.apiserver.k8s.io": Columns(
        (
            NAME,
            described("PriorityLevel", "PriorityLevelConfigurationReference.name"),
            described("MatchingPrecedence", "FlowSchemaSpec.matchingPrecedence"),
            described("DistinguisherMethod", "FlowSchemaSpec.distinguisherMethod"),
            AGE,
            Column("MissingPL", "references a broken or non-existent PriorityLevelConfiguration"),
        ),
        _flow_schema,
        order=_flow_order,
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": Columns(
        (
            NAME,
            described("Type", "PriorityLevelConfigurationSpec.type"),
            described("NominalConcurrencyShares", "LimitedPriorityLevelConfiguration.nominalConcurrencyShares"),
            described("Queues", "QueuingConfiguration.queues"),
            described("HandSize", "QueuingConfiguration.handSize"),
            described("QueueLengthLimit", "QueuingConfiguration.queueLengthLimit"),
            AGE,
        ),
        _priority_level,
    ),
    "runtimeclasses.node.k8s.io": Columns((NAME, Column("Handler", ""), AGE), _runtime_class),
    "apiservices.apiregistration.k8s.io": Columns(
        (
            NAME,
            Column("Service", "The reference to the service that hosts this API endpoint."),
            Column("Available", "Whether this service is available."),
            AGE,
        ),
        _api_service,
    ),
    "storageversions.internal.apiserver.k8s.io": Columns(
        (
            NAME,
            described("CommonEncodingVersion", "StorageVersionStatus.commonEncodingVersion"),
            described("StorageVersions", "StorageVersionStatus.storageVersions"),
            AGE,
        ),
        _storage_version,
    ),
    "storageversionmigrations.storagemigration.k8s.io": Columns(
        (Column("Name", NAME.description), Column("Resource", "Fully qualified resource to migrate")), _migration
    ),
}
