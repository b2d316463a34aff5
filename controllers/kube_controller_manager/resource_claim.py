"""resourceclaim-controller: makes the ResourceClaims that pods have templates for, reserves claims for pods that were bound by others than
the scheduler, and takes back what pods do not need any more: reservations, allocations, claims.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from controllers.runtime import pods, resource_claims
from controllers.runtime.adoption import controller_reference
from controllers.runtime.events import WARNING
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.resource_claims import FINALIZER, POD_CLAIM, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, Use
from controllers.runtime.sources import Follows, Source, Watches
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, Invalid, NotFound
from kctl.client.transport import STRATEGIC_MERGE_PATCH

_POD, _CLAIM = "pod:", "claim:"
_OWNER_INDEX = "resource-claim-owner"
_TEMPLATE_INDEX = "resource-claim-templates"
_MOST_REMEMBERED = 500
_LONGEST_BASE = 57


def has_claims(pod: Object) -> bool:
    return bool(pod["spec"].get("resourceClaims"))


def is_done(pod: Object) -> bool:
    """No container runs, and none ever will."""
    return pods.is_terminal(pod) or (bool(objects.deletion_timestamp(pod)) and not pod["spec"].get("nodeName"))


def _owning_pod(claim: Object) -> tuple[str, ...]:
    """Index function: uid."""
    owner = objects.controller_of(claim)
    return (owner["uid"],) if owner is not None and owner["kind"] == "Pod" and owner["apiVersion"] == "v1" else ()


def _templates_of(pod: Object) -> tuple[str, ...]:
    """Index function: the keys of the templates that have no claim yet."""
    if not has_claims(pod):
        return ()
    return tuple(f"{objects.namespace(pod)}/{use.template}" for use in resource_claims.uses_of(pod) if use.template and use.claim == "")


class ResourceClaimController(LoopController):
    name = "resourceclaim-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(resource_claims.CLAIM_INDEX, resource_claims.claims_of)
        self._pods.add_index(_TEMPLATE_INDEX, _templates_of)
        self._claims = context.informers.informer(RESOURCE_CLAIMS)
        self._claims.add_index(_OWNER_INDEX, _owning_pod)
        self._templates = context.informers.informer(RESOURCE_CLAIM_TEMPLATES)
        self._recorder = context.recorder("resource_claim")
        self._deleted: OrderedDict[str, None] = OrderedDict()
        """Uids of pods that were seen and are gone: nobody needs to ask the server about them."""

    def wakes(self) -> Sequence[Source]:
        return (
            Follows(PODS, self._pods_changed),
            Follows(RESOURCE_CLAIMS, self._claims_changed),
            Watches(RESOURCE_CLAIM_TEMPLATES, to=self._waiting_for),
        )

    def _waiting_for(self, template: Object) -> Iterator[str]:
        for pod in self._pods.by_index(_TEMPLATE_INDEX, objects.key(template)):
            yield _POD + objects.key(pod)

    def _pods_changed(self, changes: Sequence[Change]) -> list[str]:
        keys: dict[str, None] = {}
        for old, new in changes:
            pod = new or old or {}
            if not has_claims(pod):
                continue
            if new is None:
                self._deleted[objects.uid(pod)] = None
                if len(self._deleted) > _MOST_REMEMBERED:
                    self._deleted.popitem(last=False)
            if new is None or is_done(new):
                keys.update((_CLAIM + key, None) for key in resource_claims.claims_of(pod))
            if new is not None and not objects.deletion_timestamp(new):
                keys[_POD + objects.key(new)] = None
        return list(keys)

    def _claims_changed(self, changes: Sequence[Change]) -> list[str]:
        keys: dict[str, None] = {}
        for old, new in changes:
            key = objects.key(new or old or {})
            if new is not None:
                keys[_CLAIM + key] = None
            keys.update((_POD + objects.key(pod), None) for pod in self._pods.by_index(resource_claims.CLAIM_INDEX, key))
        return list(keys)

    async def reconcile(self, key: str) -> None:
        if key.startswith(_CLAIM):
            claim = self._claims.get(key.removeprefix(_CLAIM))
            if claim is not None:
                await self._sync_claim(claim)
            return
        pod = self._pods.get(key.removeprefix(_POD))
        if pod is not None and not objects.deletion_timestamp(pod) and not pods.is_terminal(pod):
            await self._sync_pod(pod)

    # ---- pods: claims out of templates, reservations of pods that are bound

    async def _sync_pod(self, pod: Object) -> None:
        made: dict[str, str] = {}
        for use in resource_claims.uses_of(pod):
            try:
                claim = await self._ensure(pod, use)
            except ApiError as error:
                if namespace_terminating(error):
                    return
                self._recorder.event(pod, WARNING, "FailedResourceClaimCreation", f"PodResourceClaim {use.name}: {error}")
                raise
            if claim is not None:
                made[use.name] = objects.name(claim)
        if made:
            await self._tell(pod, made)
        if pod["spec"].get("nodeName"):
            await self._reserve(pod)

    async def _ensure(self, pod: Object, use: Use) -> Object | None:
        """The claim that the pod's status is to name; None where it does."""
        if not use.template or use.claim is None:
            return None
        if use.claim:
            present = self._claims.get(f"{objects.namespace(pod)}/{use.claim}")
            if present is not None and not resource_claims.not_of_pod(pod, present):
                return None
        for claim in self._claims.by_index(_OWNER_INDEX, objects.uid(pod)):  # made before, and not told
            if objects.annotations(claim).get(POD_CLAIM) == use.name and not objects.deletion_timestamp(claim):
                return claim
        template = self._templates.get(f"{objects.namespace(pod)}/{use.template}")
        if template is None:
            why = f'resourceclaimtemplate.resource.k8s.io "{use.template}" not found'
            raise NotFound(f'resource claim template "{use.template}": {why}')
        claim = await self.context.client.create(RESOURCE_CLAIMS, _from_template(pod, use.name, template), objects.namespace(pod))
        self._claims.observe([claim])
        return claim

    async def _tell(self, pod: Object, made: dict[str, str]) -> None:
        statuses = [{"name": name, "resourceClaimName": claim} for name, claim in made.items()]
        patch = {"metadata": {"uid": objects.uid(pod)}, "status": {"resourceClaimStatuses": statuses}}
        name, space = objects.name(pod), objects.namespace(pod)
        with contextlib.suppress(NotFound):
            written = await self.context.client.patch(
                PODS, name, patch, space, patch_type=STRATEGIC_MERGE_PATCH, subresource="status", field_manager="ResourceClaimController"
            )
            self._pods.observe([written])

    async def _reserve(self, pod: Object) -> None:
        """The scheduler does it for the pods it binds."""
        for use in resource_claims.uses_of(self._pods.get(objects.key(pod)) or pod):
            claim = self._claims.get(f"{objects.namespace(pod)}/{use.claim}") if use.claim else None
            if claim is None or not resource_claims.is_allocated(claim) or resource_claims.is_reserved_for(pod, claim):
                continue
            if use.template and (why := resource_claims.not_of_pod(pod, claim)):
                raise Invalid(why)
            if resource_claims.can_be_reserved(claim):
                reserved = [*resource_claims.reserved_for(claim), resource_claims.consumer(pod)]
                await self._write_status(claim, reservedFor=reserved)

    async def _write_status(self, claim: Object, **fields: object) -> Object:
        """Raises Conflict where it has changed since it was seen."""
        status = {name: value for name, value in {**objects.status(claim), **fields}.items() if value is not None}
        written = await self.context.client.update_status(RESOURCE_CLAIMS, objects.replace(claim, status=status))
        self._claims.observe([written])
        return written

    # ---- claims: what nobody needs any more

    async def _sync_claim(self, claim: Object) -> None:
        reserved = resource_claims.reserved_for(claim)
        valid = [each for each in reserved if await self._is_valid(claim, each)]
        protected = FINALIZER in objects.finalizers(claim)
        if len(valid) < len(reserved):
            deallocated = {"allocation": None, "devices": None} if not valid and protected else {}
            claim = await self._write_status(claim, reservedFor=valid or None, **deallocated)
            if protected and not resource_claims.is_allocated(claim):
                claim = await self._unprotect(claim)
        elif protected and objects.deletion_timestamp(claim) and not valid:
            if resource_claims.is_allocated(claim):
                claim = await self._write_status(claim, allocation=None, devices=None)
            claim = await self._unprotect(claim)
        if not valid:
            await self._remove_unneeded(claim)

    async def _is_valid(self, claim: Object, reference: Object) -> bool:
        if reference.get("apiGroup") or reference.get("resource") != "pods":
            raise Invalid(f"unsupported ReservedFor entry: {reference}")
        uid = reference["uid"]
        if uid in self._deleted:
            return False
        pod = self._pods.get(f"{objects.namespace(claim)}/{reference['name']}")
        if pod is None:  # a watch may be late: the scheduler has perhaps bound a pod that is not known here yet
            try:
                pod = await self.context.client.get(PODS, reference["name"], objects.namespace(claim))
            except NotFound:
                return False
            return bool(objects.uid(pod) == uid)
        return bool(objects.uid(pod) == uid) and not is_done(pod)

    async def _unprotect(self, claim: Object) -> Object:
        left = [name for name in objects.finalizers(claim) if name != FINALIZER]
        try:
            written = await self.context.client.update(RESOURCE_CLAIMS, objects.with_metadata(claim, finalizers=left or None))
        except NotFound:
            return claim
        if objects.deletion_timestamp(written) and not left:
            self._claims.observe_deleted(objects.key(claim), objects.uid(claim))
        else:
            self._claims.observe([written])
        return written

    async def _remove_unneeded(self, claim: Object) -> None:
        """One that was made for a pod which will not run; the pod itself may stay for long."""
        owner = objects.controller_of(claim)
        if owner is None or not _owning_pod(claim) or objects.deletion_timestamp(claim):
            return
        pod = self._pods.get(f"{objects.namespace(claim)}/{owner['name']}")
        if pod is not None and (objects.uid(pod) != owner["uid"] or is_done(pod)):
            with contextlib.suppress(NotFound):
                await self.context.client.delete(RESOURCE_CLAIMS, objects.name(claim), objects.namespace(claim), uid=objects.uid(claim))


def _from_template(pod: Object, name: str, template: Object) -> Object:
    spec = template["spec"]
    meta = spec.get("metadata") or {}
    wanted: Object = {
        "generateName": _base_name(objects.name(pod), name),
        "ownerReferences": [controller_reference(pod)],
        "annotations": {**(meta.get("annotations") or {}), POD_CLAIM: name},
    }
    if meta.get("labels"):
        wanted["labels"] = meta["labels"]
    return {
        "apiVersion": RESOURCE_CLAIMS.api_version,
        "kind": RESOURCE_CLAIMS.kind,
        "metadata": wanted,
        "spec": spec.get("spec") or {},
    }


def _base_name(pod: str, name: str) -> str:
    """Both shortened in proportion where they are too long together."""
    base = f"{pod}-{name}-"
    if len(base) <= _LONGEST_BASE:
        return base
    return f"{pod[: len(pod) * _LONGEST_BASE // len(base)]}-{name[: len(name) * _LONGEST_BASE // len(base)]}"
