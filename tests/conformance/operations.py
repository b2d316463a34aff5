"""What the official tests "should support ... API operations" do with each kind: discovery, and every verb in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from tests.conformance.suite import NAMESPACE, Suite, selected

LABEL, VALUE = "special-label", "e2e-operations"
CHOSEN = f"{LABEL}={VALUE}"
Extra = Callable[[Suite, str], Awaitable[None]]


async def discovered(e2e: Suite, resource: ResourceType) -> None:
    """The group, its version, and the resource in it with its subresource status where it has one."""
    group, version = resource.group, resource.version
    if group:
        (listed,) = [each for each in (await e2e.get("/apis"))["groups"] if each["name"] == group]
        assert {"groupVersion": f"{group}/{version}", "version": version} in listed["versions"]
        assert {"groupVersion": f"{group}/{version}", "version": version} in (await e2e.get(f"/apis/{group}"))["versions"]
    found = {each["name"]: each for each in (await e2e.get(resource.root_path))["resources"]}
    assert found[resource.plural]["kind"] == resource.kind and found[resource.plural]["namespaced"] is resource.namespaced
    for subresource in resource.subresources:
        assert f"{resource.plural}/{subresource.name}" in found


def labelled(body: Object, letter: str) -> Object:
    meta = body.get("metadata") or {"generateName": f"e2e-{letter}-"}
    return {**body, "metadata": {**meta, "labels": {LABEL: VALUE}}}


async def operations(
    e2e: Suite,
    api_version: str,
    kind: str,
    *bodies: Object,
    change: Callable[[Object], Object] = lambda obj: obj,
    status: Extra | None = None,
) -> None:
    """Three objects are made of `bodies`, which may be one for all of them. `change` is what the update changes beside an annotation,
    `status` what is done with the first one's status (its path)."""
    resource = built_in(api_version, kind)
    await discovered(e2e, resource)
    collection, everywhere = resource.path(NAMESPACE if resource.namespaced else ""), resource.path()
    made = [await e2e.create(collection, labelled(body, letter)) for body, letter in zip(bodies * (3 // len(bodies)), "abc", strict=True)]
    first = f"{collection}/{objects.name(made[0])}"
    assert objects.uid(await e2e.get(first)) == objects.uid(made[0])
    names = [objects.name(each) for each in made]
    assert await e2e.names(collection, CHOSEN) == names == await e2e.names(everywhere, CHOSEN)
    since, watched = await e2e.get(selected(collection, CHOSEN)), selected(collection, CHOSEN)

    patched = await e2e.patch(first, {"metadata": {"annotations": {"patched": "true"}}})
    assert objects.annotations(patched)["patched"] == "true"

    def changed(obj: Object) -> Object:
        return objects.with_metadata(change(obj), annotations={**objects.annotations(obj), "updated": "true"})

    updated = await e2e.update_until(first, changed)
    assert objects.annotations(updated)["updated"] == "true"
    await e2e.seen(watched, since, "MODIFIED", lambda obj: objects.annotations(obj).get("patched") == "true")
    await e2e.seen(watched, since, "MODIFIED", lambda obj: objects.annotations(obj).get("updated") == "true")
    if status is not None:
        await status(e2e, first)

    await e2e.delete(first)
    await e2e.gone(first)
    assert await e2e.names(collection, CHOSEN) == names[1:]
    await e2e.seen(watched, since, "DELETED", lambda obj: objects.name(obj) == names[0])
    await e2e.delete(watched)
    await e2e.empty(collection, CHOSEN)
    for name in names[1:]:
        await e2e.seen(watched, since, "DELETED", lambda obj, name=name: objects.name(obj) == name)  # type: ignore[misc]


def condition(kind: str, **more: Any) -> Object:
    return {"type": kind, "status": "True", "reason": "E2E", "message": "Set from e2e test", **more}
