"""Creating and deleting pods on behalf of a controller, with the events users know (client-go's RealPodControl).

Pods are made in growing batches (1, 2, 4, ...): if the first is refused (quota, admission) a thousand others need not be
asked for. A pod shares its template's spec by identity, which lets the API server admit and default it once.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from controllers.runtime.adoption import controller_reference
from controllers.runtime.events import NORMAL, WARNING, EventRecorder
from controllers.runtime.informer import Informer
from controllers.runtime.together import together
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.client import Client


@dataclass(slots=True)
class Outcome:
    """How many calls succeeded, and the first error."""

    done: int = 0
    error: ApiError | None = field(default=None)


def namespace_terminating(error: ApiError) -> bool:
    """The refusal to create anything in a namespace that is being deleted: expected, not worth an event."""
    return any(cause.get("reason") == "NamespaceTerminating" for cause in error.details.get("causes") or ())


def pod_from_template(template: Object, owner: Object, *, name: str = "", generate_name: str = "") -> Object:
    """As GetPodFromTemplate; labels, annotations and spec are the template's very own. Without `name` the API server makes one."""
    wanted = template.get("metadata") or {}
    meta: Object = {"name": name} if name else {"generateName": generate_name or f"{objects.name(owner)}-"}
    for part in ("labels", "annotations", "finalizers"):
        if wanted.get(part):
            meta[part] = wanted[part]
    meta["ownerReferences"] = [controller_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec") or {}}


class PodControl:
    """Results are shown to `informer` at once, so that the next look counts them."""

    def __init__(self, client: Client, informer: Informer, recorder: EventRecorder) -> None:
        self._client = client
        self._informer = informer
        self._recorder = recorder

    async def create(self, owner: Object, pods: Sequence[Object]) -> Outcome:
        """Slow start, in the order given; stops after the first batch with an error. Pods may be one and the same (with
        generateName), each its own, or named."""
        space = objects.namespace(owner)
        outcome, asked, batch = Outcome(), 0, 1
        while asked < len(pods) and outcome.error is None:
            calls = [self._client.create(PODS, pod, space) for pod in pods[asked : asked + batch]]
            self._created(owner, await _all(calls), outcome)
            asked, batch = asked + len(calls), batch * 2
        return outcome

    def _created(self, owner: Object, answers: Sequence[Object | Exception], outcome: Outcome) -> None:
        created = []
        for answer in answers:
            if isinstance(answer, ApiError):
                outcome.error = outcome.error or answer
                if not namespace_terminating(answer):
                    self._recorder.event(owner, WARNING, "FailedCreate", f"Error creating: {answer.message}")
            elif isinstance(answer, Exception):
                raise answer
            else:
                created.append(answer)
        outcome.done += len(created)
        self._informer.observe(created)
        for pod in created:
            self._recorder.event(owner, NORMAL, "SuccessfulCreate", f"Created pod: {objects.name(pod)}")

    async def delete(self, owner: Object, pods: Sequence[Object]) -> Outcome:
        outcome = Outcome()
        for answer in await together(self._delete(owner, pod, outcome) for pod in pods):
            if answer is not None:
                raise answer
        return outcome

    async def _delete(self, owner: Object, pod: Object, outcome: Outcome) -> None:
        name, space, uid = objects.name(pod), objects.namespace(pod), objects.uid(pod)
        try:
            answer = await self._client.delete(PODS, name, space, uid=uid)
        except NotFound:
            self._informer.observe_deleted(objects.key(pod), uid)
            outcome.done += 1
        except ApiError as error:
            outcome.error = outcome.error or error
            self._recorder.event(owner, WARNING, "FailedDelete", f"Error deleting: {error.message}")
        else:
            outcome.done += 1
            if objects.deletion_timestamp(answer):
                self._informer.observe([answer])
            else:
                self._informer.observe_deleted(objects.key(pod), uid)
            self._recorder.event(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {name}")


async def _all(calls: Sequence[Coroutine[Any, Any, Object]]) -> list[Object | Exception]:
    if len(calls) == 1:
        try:
            return [await calls[0]]
        except ApiError as error:
            return [error]
    return await together(calls)
