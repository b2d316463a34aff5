"""What an extension API server says of its own group version: discovery and OpenAPI, fetched whenever it is found available. What it said
last is kept while it does not answer."""

from __future__ import annotations

from typing import Any

import orjson

from kctl.kube_apiserver.aggregation.remote import AGGREGATOR, Fetched, Unanswered, Way

Document = dict[str, Any]
_ALL = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_MOST_RESOURCES = 1_000


class Documents:
    def __init__(self, way: Way) -> None:
        self._way = way
        self._rows: list[Document] = []
        self._is_current = False
        self.v3_url = ""
        """Where it has its OpenAPI v3 document, by its own index; '' where it has none."""
        self.v2: Document = {}
        self._v2_tag = ""
        self.revision = 0
        """Grows with each change of `v2` or `v3_url`."""

    def version_discovery(self) -> Document:
        """An entry of an APIGroupDiscovery's versions."""
        remote = self._way.remote
        fresh = self._is_current and remote.available
        entry: Document = {"version": remote.version}
        if self._rows:
            entry["resources"] = self._rows
        return {**entry, "freshness": "Current" if fresh else "Stale"}

    async def refresh(self) -> None:
        try:
            self._rows = await self._resources()
            self._is_current = True
        except (Unanswered, ValueError, KeyError, TypeError, AttributeError):
            self._is_current = False
        await self._refresh_v3()
        await self._refresh_v2()

    async def _get(self, path: str, accept: str = "application/json", known: str = "") -> Fetched:
        return await self._way.get(path, accept, AGGREGATOR, known=known)

    async def _resources(self) -> list[Document]:
        """Of the aggregated document where it has one, else made of the legacy one. Raises Unanswered, and as what is no such document
        does."""
        remote = self._way.remote
        answer = await self._get("/apis", _ALL)
        if answer.status == 200 and "APIGroupDiscoveryList" in answer.headers.get("content-type", ""):
            for group in orjson.loads(answer.body)["items"]:
                if group["metadata"]["name"] == remote.group:
                    for version in group["versions"]:
                        if version["version"] == remote.version:
                            return list(version.get("resources") or ())[:_MOST_RESOURCES]
        answer = await self._get(remote.path)
        if answer.status != 200:
            raise Unanswered(f"status {answer.status}")
        return _aggregated(orjson.loads(answer.body)["resources"][:_MOST_RESOURCES], remote.group, remote.version)

    async def _refresh_v3(self) -> None:
        try:
            answer = await self._get("/openapi/v3")
            found = orjson.loads(answer.body)["paths"][self._way.remote.path.strip("/")] if answer.status == 200 else {}
            url = str(found.get("serverRelativeURL") or "")
        except (Unanswered, ValueError, KeyError, TypeError, AttributeError):
            return
        if url != self.v3_url:
            self.v3_url, self.revision = url, self.revision + 1

    async def _refresh_v2(self) -> None:
        try:
            answer = await self._get("/openapi/v2", known=self._v2_tag)
            if answer.status == 304:
                return
            found = orjson.loads(answer.body) if answer.status == 200 else {}
        except (Unanswered, ValueError):
            return
        if isinstance(found, dict) and found != self.v2:
            self.v2, self.revision = found, self.revision + 1
        self._v2_tag = answer.headers.get("etag", "")


def _aggregated(resources: list[Document], group: str, version: str) -> list[Document]:
    """Rows of an APIResourceList as those of an APIVersionDiscovery."""
    rows: dict[str, Document] = {}
    for each in resources:
        name, _, below = str(each["name"]).partition("/")
        kind = {"group": each.get("group") or group, "version": each.get("version") or version, "kind": each.get("kind", "")}
        if below:
            parent = rows.get(name)
            if parent is not None:
                parent.setdefault("subresources", []).append({"subresource": below, "responseKind": kind, "verbs": each.get("verbs") or []})
            continue
        row = {
            "resource": name,
            "responseKind": kind,
            "scope": "Namespaced" if each.get("namespaced") else "Cluster",
            "singularResource": each.get("singularName", ""),
            "verbs": each.get("verbs") or [],
        }
        for field in ("shortNames", "categories"):
            if each.get(field):
                row[field] = each[field]
        rows[name] = row
    return list(rows.values())
