"""The user and groups of a container's processes, where the kubelet's own user may become another."""

from __future__ import annotations

import os
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class CannotMake(Exception):
    """The message of state.waiting with CreateContainerError."""


class Identity(NamedTuple):
    """-1 and None: as the kubelet's."""

    uid: int
    gid: int
    groups: list[int] | None


def identity_of(pod: Object, container: Object, image_user: tuple[int, int] | None = None) -> Identity:
    """`image_user`: ids that its image says. Raises CannotMake where it asks for a user that this one cannot become."""
    of_pod, own = objects.spec(pod).get("securityContext") or {}, container.get("securityContext") or {}
    uid, gid = own.get("runAsUser", of_pod.get("runAsUser")), own.get("runAsGroup", of_pod.get("runAsGroup"))
    groups = [int(each) for each in of_pod.get("supplementalGroups") or ()]
    if of_pod.get("fsGroup") is not None:
        groups.append(int(of_pod["fsGroup"]))
    if os.geteuid() != 0:
        for what, wanted, mine in (("runAsUser", uid, os.geteuid()), ("runAsGroup", gid, os.getegid())):
            if wanted is not None and int(wanted) != mine:
                raise CannotMake(f"{what} {wanted}: the user that runs kctl ({mine}) cannot start processes of another one")
        if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) and os.geteuid() == 0:
            raise CannotMake("container has runAsNonRoot and image will run as root")
        return Identity(-1, -1, None)
    if uid is None and image_user is not None and image_user != (0, 0):
        uid, gid = image_user[0], image_user[1] if gid is None else gid
    if not uid and own.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        raise CannotMake("container has runAsNonRoot and image will run as root")
    changed = uid is not None or gid is not None or bool(groups)
    return Identity(-1 if uid is None else int(uid), _group(uid, gid), groups if changed else None)


def _group(uid: object, gid: object) -> int:
    """That of a user without one is 0, as a container runtime has it."""
    if gid is not None:
        return int(str(gid))
    return -1 if uid is None else 0
