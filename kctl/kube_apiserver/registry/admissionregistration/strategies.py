"""The strategies of admissionregistration.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.admissionregistration import policies, webhooks
from kctl.kube_apiserver.registry.strategy import Strategy

_GROUP = "admissionregistration.k8s.io"
STRATEGIES: dict[str, Strategy] = {
    f"mutatingwebhookconfigurations.{_GROUP}": webhooks.MUTATING,
    f"validatingwebhookconfigurations.{_GROUP}": webhooks.VALIDATING,
    f"validatingadmissionpolicies.{_GROUP}": policies.VALIDATING,
    f"validatingadmissionpolicybindings.{_GROUP}": policies.VALIDATING_BINDING,
    f"mutatingadmissionpolicies.{_GROUP}": policies.MUTATING,
    f"mutatingadmissionpolicybindings.{_GROUP}": policies.MUTATING_BINDING,
}
