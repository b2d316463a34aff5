"""The pods of `kctl debug`: with an ephemeral container more, as a copy, or made for a node. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.debug.profiles import Keep, Profile, changed_container
from kctl.cli.errors import CommandError

UNCHANGEABLE: Final = ("name", "command", "image", "lifecycle", "volumeDevices")
"""What a custom profile may not say."""


@dataclass(frozen=True)
class DebugContainer:
    """What the flags say of it. `custom` is a part of a container, laid over what the profile made."""

    image: str
    pull_policy: str
    env: Sequence[tuple[str, str]]
    words: Sequence[str]
    words_are_arguments: bool
    stdin: bool
    tty: bool
    profile: Profile
    custom: Object | None = None

    def fields(self) -> Object:
        """Those that were given."""
        env = [{"name": name, "value": value} for name, value in self.env]
        words = {"args" if self.words_are_arguments else "command": list(self.words)} if self.words else {}
        given = {"image": self.image, **words, "env": env, "imagePullPolicy": self.pull_policy, "stdin": self.stdin, "tty": self.tty}
        return {key: value for key, value in given.items() if value}

    def new(self, name: str) -> Object:
        return {"name": name, **self.fields(), "terminationMessagePolicy": "File", "resources": {}}

    def finished(self, pod: Object, name: str) -> Object:
        """With the custom profile."""
        if self.custom is None:
            return pod
        from kctl.apimachinery.resources import PODS
        from kctl.cli.builder import Selection
        from kctl.cli.patch import apply_locally

        spec = pod["spec"]
        field = "containers" if any(each["name"] == name for each in spec["containers"]) else "ephemeralContainers"
        return apply_locally(Selection(PODS, ""), pod, {"spec": {field: [{**self.custom, "name": name}]}}, "strategic")


def names_of(pod: Object) -> set[str]:
    spec = objects.spec(pod)
    return {each["name"] for field in ("containers", "initContainers", "ephemeralContainers") for each in spec.get(field) or ()}


def with_ephemeral(pod: Object, name: str, debug: DebugContainer, target: str) -> Object:
    spec = objects.spec(pod)
    added = {**debug.new(name), **({"targetContainerName": target} if target else {})}
    made = {**pod, "spec": {**spec, "ephemeralContainers": [*(spec.get("ephemeralContainers") or ()), added]}}
    return debug.finished(debug.profile(made, name, "ephemeral", Keep()), name)


@dataclass(frozen=True)
class Copy:
    """How a copy differs from its pod. `share_processes` None: as the profile has it. `container` names one of the pod's, or the new one."""

    name: str
    container: str
    keep: Keep
    same_node: bool
    share_processes: bool | None
    images: Mapping[str, str]

    def of(self, pod: Object) -> Object:
        """Without the debug container."""
        meta = objects.metadata(pod)
        kept = {field: meta[field] for field in ("namespace", "annotations", "labels") if meta.get(field)}
        spec = {key: value for key, value in objects.spec(pod).items() if key != "ephemeralContainers"}
        if self.share_processes is not None:
            spec["shareProcessNamespace"] = self.share_processes
        if not self.same_node:
            spec.pop("nodeName", None)
        images, every = self.images, self.images.get("*", "")
        spec["containers"] = [{**each, "image": images.get(each["name"], every) or each["image"]} for each in spec["containers"]]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name, **kept}, "spec": spec}


def with_debug_container(copied: Object, name: str, copy: Copy, debug: DebugContainer) -> Object:
    """A copy with the container `name` new, or changed where it has one of that name."""
    if name in names_of(copied):
        given = debug.fields()

        def changed(container: Object) -> Object:
            kept = {key: value for key, value in container.items() if key not in ("stdin", "tty")}
            if "command" in given:
                kept.pop("args", None)
            return {**kept, **given}

        made = changed_container(copied, name, changed)
    else:
        if not debug.image:
            raise CommandError("you must specify image when creating new container")
        spec = copied["spec"]
        made = {**copied, "spec": {**spec, "containers": [*spec["containers"], debug.new(name)]}}
    return debug.finished(debug.profile(made, name, "copy", copy.keep), name)


def for_node(node: str, pod_name: str, name: str, debug: DebugContainer) -> Object:
    spec: dict[str, Any] = {
        "containers": [debug.new(name)],
        "nodeName": node,
        "restartPolicy": "Never",
        "tolerations": [{"operator": "Exists"}],
    }
    meta = {"name": pod_name, "labels": {"app.kubernetes.io/managed-by": "kubectl-debug"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    return debug.finished(debug.profile(pod, name, "node", Keep()), name)


def may_lack_power(pod: Object, name: str) -> bool:
    """The pod's user is not root, and the container was given powers that such a user has no use of."""
    user = (objects.spec(pod).get("securityContext") or {}).get("runAsUser")
    every = [each for field in ("containers", "ephemeralContainers") for each in objects.spec(pod).get(field) or ()]
    context = next((each.get("securityContext") for each in every if each["name"] == name), None)
    if not user or context is None or context.get("runAsUser") == 0:
        return False
    return bool(context.get("privileged") or (context.get("capabilities") or {}).get("add"))
