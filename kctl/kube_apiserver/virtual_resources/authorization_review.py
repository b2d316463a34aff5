"""authorization.k8s.io: may I (SelfSubjectAccessReview), may they, what may I (SelfSubjectRulesReview). Answered, never stored.

Until RBAC is here whoever is authenticated may do everything, and these say so.
"""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.field_errors import FieldError, invalid, required
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.handlers import body, off_loop, options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    options.check_write(request, "CreateOptions")
    review: Object = await off_loop.run(request, body.decode, request, endpoint)
    kind = request.resource.kind
    if kind == "SelfSubjectRulesReview":
        status = {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
        return ObjectAnswer({**review, "status": status}, 201, endpoint)
    _check(request, kind, review)
    return ObjectAnswer({**review, "status": {"allowed": True}}, 201, endpoint)


def _check(request: ResourceRequest, kind: str, review: Object) -> None:
    spec = objects.spec(review)
    errors: list[FieldError] = []
    resource, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and other is not None:
        why = "cannot be specified in combination with resourceAttributes"
        shown = go_form("authorization.v1.NonResourceAttributes", other)
        errors.append(invalid("spec.nonResourceAttributes", shown, why))
    if resource is None and other is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.append(invalid("spec.resourceAttributes", None, why))
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        errors.append(required("spec.user", "at least one of user or group must be specified"))
    if errors:
        raise invalid_status("authorization.k8s.io", kind, "", errors)
