"""What a cluster of ours stores without acting on it: the one list, which shrinks as the parts are built and ends empty.

Nothing pretends: whoever creates such an object over the API gets a Warning header that says what will not happen. Kinds for which a
Kubernetes cluster without add-ons does nothing either (an Ingress of a class without a controller) are no entry.
"""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.config import NotActedOn


def _converts_by_webhook(obj: Object) -> bool:
    return ((obj.get("spec") or {}).get("conversion") or {}).get("strategy") == "Webhook"


NOT_ACTED_ON = (
    NotActedOn(
        ("customresourcedefinitions.apiextensions.k8s.io",),
        "conversion webhooks are not called yet: versions are converted as by the strategy None",
        concerns=_converts_by_webhook,
    ),
    NotActedOn(
        ("flowschemas.flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"),
        "API priority and fairness is not applied yet: this object is stored only",
    ),
)
