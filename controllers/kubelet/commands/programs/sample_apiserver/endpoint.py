"""The verbs of wardle.example.com/v1alpha1 on what is stored."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import orjson

from controllers.kubelet.commands.process import Process
from controllers.kubelet.commands.programs.fetching import Deadline
from controllers.kubelet.commands.programs.http import Request
from controllers.kubelet.commands.programs.sample_apiserver.delegation import Delegation
from controllers.kubelet.commands.programs.sample_apiserver.resources import (
    FISCHERS,
    FLUNDERS,
    GROUP,
    GROUP_VERSION,
    Resource,
    decoded,
    validate,
)
from controllers.kubelet.commands.programs.sample_apiserver.stored import PREFIX, Change, Storage
from kctl.apimachinery import field_errors, fields, json_patch, labels, merge_patch, objects, status, times
from kctl.apimachinery.objects import Object

Waits = float | None
Doing = Generator[Waits, None, tuple[int, Any]]
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_WATCH_SECONDS = 30.0
_NO_WATCH_LIST = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
_TRIES = 10
_PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/merge-patch+json": merge_patch.apply,
    "application/json-patch+json": json_patch.apply,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; `name` '' for the collection."""

    resource: Resource
    namespace: str
    name: str

    @property
    def folder(self) -> str:
        return f"{PREFIX}/{self.resource.plural}/" + (f"{self.namespace}/" if self.namespace else "")

    @property
    def key(self) -> str:
        return self.folder + self.name


class Endpoint:
    """Each method is a verb and gives (status, document); a document of bytes is a stream of events. They raise ApiError."""

    def __init__(self, process: Process, storage: Storage, delegation: Delegation) -> None:
        self._process = process
        self._storage = storage
        self._delegation = delegation

    def do(self, verb: str, target: Target, request: Request) -> Doing:
        made: Doing = getattr(self, f"_{verb}")(target, request)
        return made

    # ---- reading

    def _get(self, target: Target, request: Request) -> Doing:
        return 200, (yield from self._present(target))

    def _present(self, target: Target) -> Generator[Waits, None, Object]:
        found = yield from self._storage.get(target.key)
        if found is None:
            raise status.not_found(GROUP, target.resource.plural, target.name)
        return found

    def _list(self, target: Target, request: Request) -> Doing:
        chosen = _chosen(request)
        items, revision = yield from self._storage.list(target.folder)
        kind = f"{target.resource.kind}List"
        meta = {"resourceVersion": str(revision)}
        return 200, {"kind": kind, "apiVersion": GROUP_VERSION, "metadata": meta, "items": [each for each in items if chosen(each)]}

    def _watch(self, target: Target, request: Request) -> Doing:
        """Up to the first change, or the timeout: then the stream ends, and clients go on from there."""
        chosen, query = _chosen(request), request.query
        if "sendInitialEvents" in query:
            wrong = field_errors.forbidden("sendInitialEvents", _NO_WATCH_LIST)
            raise status.invalid("meta.k8s.io", "ListOptions", "", [wrong])
        since = query.get("resourceVersion", "0") or "0"
        if not since.isascii() or not since.isdigit() or len(since) > 18:
            raise status.bad_request(f"invalid resource version: {since}")
        if since == "0":
            items, _ = yield from self._storage.list(target.folder)
            if any(map(chosen, items)):
                return 200, _lines(("ADDED", each) for each in items if chosen(each))
        changes = self._storage.changes
        if since != "0" and int(since) < changes.since:
            gone = status.Expired(f"too old resource version: {since} ({changes.since})")
            return 200, _lines([("ERROR", gone.status)])
        asked = query.get("timeoutSeconds", "")
        seconds = min(float(asked) if asked.isdigit() and asked.isascii() else _LONGEST_WATCH_SECONDS, _LONGEST_WATCH_SECONDS)
        deadline = Deadline(self._process, seconds)
        start = int(since) or (changes.latest[-1].revision if changes.latest else 0)

        def is_told(change: Change) -> bool:
            return change.revision > start and change.key.startswith(target.folder) and chosen(change.object)

        try:
            while not deadline.over:
                seen = [(change.kind, change.object) for change in changes.latest if is_told(change)]
                if seen:
                    return 200, _lines(seen)
                yield None
        finally:
            deadline.cancel()
        return 200, b""

    # ---- writing

    def _create(self, target: Target, request: Request) -> Doing:
        obj = decoded(target.resource, _body(request))
        meta = obj["metadata"]
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = str(meta["generateName"])[:58] + "".join(self._process.world.random.choice(_LETTERS) for _ in range(5))
        self._settle_namespace(target, meta)
        meta["uid"] = str(uuid.UUID(int=self._process.world.random.getrandbits(128), version=4))
        meta["creationTimestamp"] = times.rfc3339(self._process.world.clock.now())
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink"):
            meta.pop(name, None)
        validate(target.resource, obj)
        named = Target(target.resource, target.namespace, str(meta["name"]))
        yield from self._admit(named)
        if _is_dry(request):
            return 201, obj
        made = yield from self._storage.write(named.key, obj, 0)
        if made is None:
            raise status.already_exists(GROUP, target.resource.plural, named.name)
        return 201, made

    def _settle_namespace(self, target: Target, meta: Object) -> None:
        if target.namespace and meta.setdefault("namespace", target.namespace) != target.namespace:
            raise status.bad_request("the namespace of the provided object does not match the namespace sent on the request")

    def _admit(self, target: Target) -> Generator[Waits, None, None]:
        """The plugins NamespaceLifecycle and BanFlunder."""
        if target.namespace:
            answered, found = yield from self._delegation.ask("GET", f"/api/v1/namespaces/{target.namespace}")
            if answered == 404:
                raise status.not_found("", "namespaces", target.namespace)
            if answered != 200:
                raise status.forbidden(GROUP, target.resource.plural, target.name, "not yet ready to handle request")
            if objects.status(found).get("phase") == "Terminating":
                why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
                raise status.forbidden(GROUP, target.resource.plural, target.name, why)
        if target.resource is FLUNDERS:
            banning, _ = yield from self._storage.list(Target(FISCHERS, "", "").folder)
            if any(target.name in (each.get("disallowedFlunders") or ()) for each in banning):
                why = "this name may not be used, please change the resource name"
                raise status.forbidden(GROUP, target.resource.plural, target.name, why)

    def _update(self, target: Target, request: Request) -> Doing:
        obj = decoded(target.resource, _body(request))
        self._settle_namespace(target, obj["metadata"])
        if obj["metadata"].get("name") != target.name:
            said = obj["metadata"].get("name") or ""
            raise status.bad_request(f"the name of the object ({said}) does not match the name on the URL ({target.name})")
        old = yield from self._present(target)
        wanted = obj["metadata"].get("resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise status.conflict(GROUP, target.resource.plural, target.name, status.MODIFIED)
        made = yield from self._replaced(target, old, obj, dry=_is_dry(request))
        if made is None:
            raise status.conflict(GROUP, target.resource.plural, target.name, status.MODIFIED)
        return 200, made

    def _replaced(self, target: Target, old: Object, new: Object, *, dry: bool) -> Generator[Waits, None, Object | None]:
        """None where another was faster. What nobody may change stays; an object without finalizers that is being deleted goes."""
        kept = {name: old["metadata"][name] for name in _UNCHANGED if name in old["metadata"]}
        meta = {**{name: value for name, value in new["metadata"].items() if name not in _UNCHANGED}, **kept}
        new = {**new, "metadata": meta, **({"status": old.get("status") or {}} if "status" in old else {})}
        validate(target.resource, new)
        if new == old or dry:
            return new
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            return new if (yield from self._storage.remove(target.key, old)) else None
        return (yield from self._storage.write(target.key, new, int(old["metadata"]["resourceVersion"])))

    def _patch(self, target: Target, request: Request) -> Doing:
        kind = request.header("Content-Type").partition(";")[0].strip()
        apply = _PATCHES.get(kind)
        if apply is None:
            accepted = ", ".join(sorted(_PATCHES))
            raise status.UnsupportedMediaType(
                f"the body of the request was in an unknown format - accepted media types include: {accepted}"
            )
        patch = _body(request)
        for _ in range(_TRIES):
            old = yield from self._present(target)
            try:
                new = decoded(target.resource, apply(old, patch))
            except json_patch.JsonPatchError as wrong:
                raise status.bad_request(str(wrong)) from None
            wanted = new["metadata"].get("resourceVersion")
            if wanted and wanted != old["metadata"]["resourceVersion"]:
                raise status.conflict(GROUP, target.resource.plural, target.name, status.MODIFIED)
            made = yield from self._replaced(target, old, new, dry=_is_dry(request))
            if made is not None:
                return 200, made
        raise status.conflict(GROUP, target.resource.plural, target.name, status.MODIFIED)

    def _delete(self, target: Target, request: Request) -> Doing:
        options = _body(request) if request.body else {}
        for _ in range(_TRIES):
            old = yield from self._present(target)
            _check_preconditions(target, old, options)
            if _is_dry(request) or (isinstance(options, dict) and options.get("dryRun")):
                return 200, _deleted(target, old)
            if not old["metadata"].get("finalizers"):
                if (yield from self._storage.remove(target.key, old)):
                    return 200, _deleted(target, old)
                continue
            if old["metadata"].get("deletionTimestamp"):
                return 200, old
            gone = {"deletionTimestamp": times.rfc3339(self._process.world.clock.now()), "deletionGracePeriodSeconds": 0}
            marked = {**old, "metadata": {**old["metadata"], **gone}}
            made = yield from self._storage.write(target.key, marked, int(old["metadata"]["resourceVersion"]))
            if made is not None:
                return 200, made
        raise status.conflict(GROUP, target.resource.plural, target.name, status.MODIFIED)

    def _deletecollection(self, target: Target, request: Request) -> Doing:
        _, listed = yield from self._list(target, request)
        for each in listed["items"]:
            meta = each["metadata"]
            try:
                yield from self._delete(Target(target.resource, str(meta.get("namespace") or ""), str(meta["name"])), request)
            except status.NotFound:
                continue
        return 200, listed


_UNCHANGED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion")


def _deleted(target: Target, old: Object) -> Object:
    details = {"name": target.name, "group": GROUP, "kind": target.resource.plural, "uid": old["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _check_preconditions(target: Target, old: Object, options: Any) -> None:
    wanted = (options.get("preconditions") if isinstance(options, dict) else None) or {}
    for name, title in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(name) and wanted[name] != old["metadata"][name]:
            why = f"Precondition failed: {title} in precondition: {wanted[name]}, {title} in object meta: {old['metadata'][name]}"
            raise status.conflict(GROUP, target.resource.plural, target.name, why)


def _is_dry(request: Request) -> bool:
    return "dryRun" in request.query


def _body(request: Request) -> Any:
    kind = request.header("Content-Type").partition(";")[0].strip()
    if kind and "json" not in kind:
        raise status.UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: application/json"
        )
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as wrong:
        raise status.bad_request(f"error decoding JSON: {wrong}") from None


def _chosen(request: Request) -> Callable[[Object], bool]:
    """By the selectors of the query. Raises BadRequest."""
    query = request.query
    selector = labels.parse(query.get("labelSelector", ""))
    by_field = fields.parse(query.get("fieldSelector", ""))
    unknown = next((path for path in by_field.paths if path not in fields.METADATA), None)
    if unknown is not None:
        raise status.bad_request(f"field label not supported: {unknown}")
    accepts = by_field.predicate(fields.METADATA)
    return lambda obj: selector.matches(objects.labels(obj)) and accepts(obj)


def _lines(events: Any) -> bytes:
    return b"".join(orjson.dumps({"type": kind, "object": obj}) + b"\n" for kind, obj in events)
