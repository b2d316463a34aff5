"""runAsNonRoot: whether a container may be made (verifyRunAsNonRoot of kuberuntime). Imported with the first that asks for it. Pure."""

from __future__ import annotations

from controllers.kubelet.commands.programs import images
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


def root_problem(pod: Object, container: Object) -> str:
    """In the kubelet's words; '' where it may, or where nobody here can tell whose user its image has."""
    of_pod, own = objects.spec(pod).get("securityContext") or {}, container.get("securityContext") or {}
    if not own.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        return ""
    meta = objects.metadata(pod)
    which = f'(pod: "{meta.get("name")}_{meta.get("namespace")}({meta.get("uid")})", container: {container.get("name")})'
    uid = own.get("runAsUser", of_pod.get("runAsUser"))
    if uid is not None:
        return "" if uid else f"container's runAsUser breaks non-root policy {which}"
    image = str(container.get("image") or "")
    if images.is_known(image) and not images.user(image):
        return f"container has runAsNonRoot and image will run as root {which}"
    return ""
