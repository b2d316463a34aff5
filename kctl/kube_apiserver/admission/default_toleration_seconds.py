"""DefaultTolerationSeconds: pods stay 300 seconds on a node that is not ready or unreachable, unless they say otherwise."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300


class DefaultTolerationSeconds(AdmissionPlugin):
    name = "DefaultTolerationSeconds"
    per_object = False
    judges_spec_alone = True

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        spec = obj["spec"]
        present = spec.get("tolerations") or []
        tolerated = {toleration.get("key") or "" for toleration in present if (toleration.get("effect") or "NoExecute") == "NoExecute"}
        missing = [key for key in _TAINTS if key not in tolerated and "" not in tolerated]
        if missing:
            spec["tolerations"] = [
                *present,
                *({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS} for key in missing),
            ]


PLUGIN = DefaultTolerationSeconds()
