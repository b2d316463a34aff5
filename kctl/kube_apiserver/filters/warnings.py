"""Warnings that belong to what is asked as such: its API version is deprecated, nothing in this cluster acts on the object, or the
components beside this server do not understand something in it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import NamedTuple

from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.caller import CANONICAL
from kctl.kube_apiserver.config import ApiServerConfig, NotActedOn
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


class Deprecation(NamedTuple):
    text: str
    removed_release: str
    """`1.40`; '' where none is planned."""


def _deprecation(api_version: str, kind: str, deprecated: int, removed: int = 0, replacement: str = "") -> Deprecation:
    """Minor releases, as upstream's lifecycle of the type says."""
    text = f"{api_version} {kind} is deprecated in v1.{deprecated}+"
    if removed:
        text += f", unavailable in v1.{removed}+"
    if replacement:
        text += f"; use {replacement}"
    return Deprecation(text, f"1.{removed}" if removed else "")


def _of_group(group: str, version: str, deprecated: int, kinds: Mapping[str, str]) -> dict[tuple[str, str, str], Deprecation]:
    """Beta and alpha versions are served for three releases more."""
    api_version = f"{group}/{version}"
    return {(group, version, plural): _deprecation(api_version, kind, deprecated, deprecated + 3) for plural, kind in kinds.items()}


_POLICIES = {"mutatingadmissionpolicies": "MutatingAdmissionPolicy", "mutatingadmissionpolicybindings": "MutatingAdmissionPolicyBinding"}
_CLAIMS = {
    "deviceclasses": "DeviceClass",
    "resourceclaims": "ResourceClaim",
    "resourceclaimtemplates": "ResourceClaimTemplate",
    "resourceslices": "ResourceSlice",
}
DEPRECATED: Mapping[tuple[str, str, str], Deprecation] = {
    ("", "v1", "componentstatuses"): _deprecation("v1", "ComponentStatus", 19),
    ("", "v1", "endpoints"): _deprecation("v1", "Endpoints", 33, replacement="discovery.k8s.io/v1 EndpointSlice"),
    **_of_group("admissionregistration.k8s.io", "v1beta1", 37, _POLICIES),
    **_of_group("admissionregistration.k8s.io", "v1alpha1", 35, _POLICIES),
    **_of_group("certificates.k8s.io", "v1beta1", 36, {"clustertrustbundles": "ClusterTrustBundle"}),
    **_of_group("coordination.k8s.io", "v1beta1", 36, {"leasecandidates": "LeaseCandidate"}),
    **_of_group("coordination.k8s.io", "v1alpha2", 35, {"leasecandidates": "LeaseCandidate"}),
    **_of_group("resource.k8s.io", "v1beta2", 36, _CLAIMS),
    **_of_group("resource.k8s.io", "v1beta1", 35, _CLAIMS),
    **_of_group("resource.k8s.io", "v1alpha3", 36, {"devicetaintrules": "DeviceTaintRule"}),
}
"""Group, version and resource: what is deprecated by the release this server speaks."""

_WRITES = frozenset({"create", "update", "patch"})


def with_warnings(handler: Handler, config: ApiServerConfig) -> Handler:
    """Components of the daemon (canonical bodies) read no warnings and get none."""
    on_create = _by_resource(config.not_acted_on)
    on_write = config.warnings_on_write

    def warn(request: Request) -> Awaitable[Response]:
        match request:
            case ResourceRequest() if request.form is not CANONICAL:
                return about(request, request.endpoint.resource)
        return handler(request)

    async def about(request: ResourceRequest, resource: ResourceType) -> Response:
        deprecation = DEPRECATED.get((resource.group, resource.version, resource.plural))
        if deprecation:
            request.warnings.append(deprecation.text)
            if request.audit is not None:
                release = deprecation.removed_release
                request.audit.annotate({"k8s.io/deprecated": "true", **({"k8s.io/removed-release": release} if release else {})})
        response = await handler(request)
        obj = response.object if isinstance(response, ObjectAnswer) else None
        if response.status == 201 and not request.subresource:
            for known in on_create.get((resource.group, resource.plural), ()):
                if known.concerns is None or known.concerns(obj or {}):
                    request.warnings.append(known.text)
        if on_write is not None and request.verb in _WRITES and not request.subresource and obj is not None:
            request.warnings += on_write(resource, obj)
        return response

    return warn


def _by_resource(not_acted_on: Iterable[NotActedOn]) -> dict[tuple[str, str], list[NotActedOn]]:
    on_create: dict[tuple[str, str], list[NotActedOn]] = {}
    for known in not_acted_on:
        for name in known.resources:
            plural, _, group = name.partition(".")
            on_create.setdefault((group, plural), []).append(known)
    return on_create
