"""Extenders: HTTP servers that have a say in where some pods go (KubeSchedulerConfiguration's `extenders`, pkg/scheduler/extender.go).

After the filters of the profile each is sent the nodes that are left, and answers with those it would take; what each gives them is
added to their scores; it may have a say in which pods are evicted, and may bind itself. Requests go through aiohttp, the bodies as
upstream's types of k8s.io/kube-scheduler/extender/v1 write them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from controllers.kube_scheduler.assignment import Placement, Refusal
from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.framework import MAX_NODE_SCORE, Nomination, PluginError, Status, unresolvable, unschedulable
from controllers.kube_scheduler.pod_info import PodInfo
from controllers.kube_scheduler.preemption.choice import Candidate, best_candidate
from controllers.kube_scheduler.profile import Profile
from controllers.kube_scheduler.whole_cycle import PlainAssigner, WholeCycle
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024 * 1024
MAX_EXTENDER_PRIORITY = 10


class ExtenderError(PluginError):
    """An extender could not be asked, or said that it failed."""


class Extender:
    """One of the list, with its settings as they were read."""

    def __init__(self, settings: Object) -> None:
        self._settings = settings
        self.url = str(settings.get("urlPrefix") or "")
        self.ignorable = bool(settings.get("ignorable"))
        self.cached = bool(settings.get("nodeCacheCapable"))
        self.weight = int(settings.get("weight") or 0)
        self.managed = frozenset(str(resource.get("name")) for resource in settings.get("managedResources") or ())
        self._session: aiohttp.ClientSession | None = None

    def verb(self, name: str) -> str:
        return str(self._settings.get(f"{name}Verb") or "")

    def concerns(self, pod: Object) -> bool:
        if not self.managed:
            return True
        for container in (*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())):
            resources = container.get("resources") or {}
            if not self.managed.isdisjoint((*(resources.get("requests") or ()), *(resources.get("limits") or ()))):
                return True
        return False

    async def ask(self, verb: str, body: Object) -> Any:
        """Raises ExtenderError."""
        url = f"{self.url.rstrip('/')}/{verb}"
        try:
            if self._session is None:
                self._session = self._open()
            headers = {"Content-Type": "application/json"}
            async with self._session.post(url, data=orjson.dumps(body), headers=headers) as answer:
                if answer.status != 200:
                    raise ExtenderError(f"failed {verb} with extender at URL {url}, code {answer.status}")
                text = await answer.content.read(LARGEST_ANSWER + 1)
                while not answer.content.at_eof() and len(text) <= LARGEST_ANSWER:
                    text += await answer.content.read(LARGEST_ANSWER + 1 - len(text))
            if len(text) > LARGEST_ANSWER:
                raise ExtenderError(f'Post "{url}": the answer is larger than {LARGEST_ANSWER} bytes')
            return orjson.loads(text)
        except TimeoutError:
            raise ExtenderError(f'Post "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)') from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExtenderError(f'Post "{url}": {error}') from error

    def _open(self) -> aiohttp.ClientSession:
        seconds = self._settings.get("httpTimeout") or DEFAULT_TIMEOUT_SECONDS
        secured = self._settings.get("tlsConfig") or self._settings.get("enableHTTPS")
        connector = aiohttp.TCPConnector(ssl=self._tls(self._settings.get("tlsConfig") or {})) if secured else aiohttp.TCPConnector()
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=seconds), trust_env=False)

    def _tls(self, tls: Object) -> ssl.SSLContext:
        """Without an authority to trust nobody is verified, as upstream where HTTPS is enabled."""
        authority = tls["caData"].decode() if tls.get("caData") else None
        context = ssl.create_default_context(cafile=tls.get("caFile") or None, cadata=authority)
        if tls.get("insecure") or not (tls.get("caFile") or authority):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if tls.get("certFile") or tls.get("certData"):
            with contextlib.ExitStack() as stack:
                files = [tls.get(f"{name}File") or _file_of(stack, tls.get(f"{name}Data")) for name in ("cert", "key")]
                context.load_cert_chain(files[0] or "", files[1])
        return context

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Extenders:
    """All of them, asked in order. They are shared by all profiles."""

    def __init__(self, settings: Sequence[Object]) -> None:
        self._extenders = [Extender(each) for each in settings]

    def concern(self, info: PodInfo) -> bool:
        """Whether one of them is to be asked before the pod has a node."""
        return any(
            extender.concerns(info.pod) and (extender.verb("filter") or extender.verb("prioritize") or extender.verb("preempt"))
            for extender in self._extenders
        )

    async def assign(self, profile: Profile, cache: Cache, randomness: random.Random, info: PodInfo) -> Placement | Refusal:
        """Raises ExtenderError, and PluginError."""
        cycle, nodes = PlainAssigner(profile, cache, randomness).feasible(info)
        nodes = await self._filtered(info, cycle, nodes) if nodes else nodes
        if not nodes:
            refusal = cycle.refuse()
            return await self._with_their_victims(refusal, info, cache)
        more = await self._priorities(info, nodes)
        present = [node for node in nodes if cache.node(node.name) is node]
        if not present:
            raise ExtenderError("the nodes that were chosen from are gone")
        return cycle.place(present, randomness, more)

    # ---- filter

    async def _filtered(self, info: PodInfo, cycle: WholeCycle, nodes: list[NodeInfo]) -> list[NodeInfo]:
        for extender in self._extenders:
            if not nodes:
                break
            if not extender.verb("filter") or not extender.concerns(info.pod):
                continue
            try:
                nodes = await self._filter(extender, info, cycle, nodes)
            except ExtenderError as error:
                if not extender.ignorable:
                    raise
                log.info("Skipping extender as it returned error and has ignorable flag set: %s: %s", extender.url, error)
        return nodes

    async def _filter(self, extender: Extender, info: PodInfo, cycle: WholeCycle, nodes: list[NodeInfo]) -> list[NodeInfo]:
        answer = await extender.ask(extender.verb("filter"), _arguments(extender, info, nodes))
        if not isinstance(answer, dict):
            raise ExtenderError(f"extender {extender.url} answers with something else than an object")
        if said := _of(answer, "error"):
            raise ExtenderError(str(said))
        names = _of(answer, "nodenames")
        if not (extender.cached and names is not None):
            items = (_of(answer, "nodes") or {}).get("items") or ()
            names = [objects.name(node) for node in items]
        known = {node.name: node for node in nodes}
        for name in names:
            if name not in known:
                where = f'extender "{extender.url}" claims a filtered node "{name}" which is not found in the input node list'
                raise ExtenderError(where)
        for name, why in (_of(answer, "failedandunresolvablenodes") or {}).items():
            cycle.statuses[name] = unresolvable(extender.url, str(why))
        for name, why in (_of(answer, "failednodes") or {}).items():
            if name not in cycle.statuses:
                cycle.statuses[name] = unschedulable(extender.url, str(why))
        kept = [known[name] for name in names]
        for name in known.keys() - set(names) - cycle.statuses.keys():
            cycle.statuses[name] = Status(unschedulable("").code, (), extender.url)
        return kept

    # ---- prioritize

    async def _priorities(self, info: PodInfo, nodes: Sequence[NodeInfo]) -> dict[str, int]:
        """Points by node; all are asked at once. One that fails gives none, as upstream."""
        asked = [each for each in self._extenders if each.verb("prioritize") and each.concerns(info.pod)]
        answers = await asyncio.gather(
            *(each.ask(each.verb("prioritize"), _arguments(each, info, nodes)) for each in asked), return_exceptions=True
        )
        found: dict[str, int] = {}
        for extender, answer in zip(asked, answers, strict=True):
            if isinstance(answer, ExtenderError):
                log.info("Failed to run extender's priority function. No score given by this extender: %s: %s", extender.url, answer)
                continue
            if isinstance(answer, BaseException):
                raise answer
            for entry in answer or ():
                name, score = str(_of(entry, "host")), int(_of(entry, "score") or 0)
                found[name] = found.get(name, 0) + score * extender.weight * (MAX_NODE_SCORE // MAX_EXTENDER_PRIORITY)
        return found

    # ---- preempt

    async def _with_their_victims(self, refusal: Refusal, info: PodInfo, cache: Cache) -> Refusal:
        """The best of what those that know about preemption leave of it."""
        asked = [extender for extender in self._extenders if extender.verb("preempt") and extender.concerns(info.pod)]
        if refusal.nomination is None or not asked:
            return refusal
        found = [Candidate(each.node, list(each.victims), each.violations) for each in (refusal.nomination, *refusal.nomination.others)]
        for extender in asked:
            try:
                found = await self._preempted(extender, info, found, cache)
            except ExtenderError as error:
                if not extender.ignorable:
                    raise
                log.info("Skipped extender as it returned error and has ignorable flag set: %s: %s", extender.url, error)
        best = best_candidate(found) if found else None
        nomination = None if best is None else Nomination(best.node, tuple(best.victims), best.violations)
        return Refusal(refusal.message, refusal.plugins, nomination, refusal.detail)

    async def _preempted(self, extender: Extender, info: PodInfo, found: Sequence[Candidate], cache: Cache) -> list[Candidate]:
        field, one = ("nodeNameToMetaVictims", _meta) if extender.cached else ("nodeNameToVictims", _whole)
        victims = {each.node: {"pods": [one(pod) for pod in each.victims], "numPDBViolations": each.violations} for each in found}
        answer = await extender.ask(extender.verb("preempt"), {"pod": info.pod, field: victims})
        left: list[Candidate] = []
        for name, chosen in (_of(answer, "nodeNameToMetaVictims") or {}).items():
            node = cache.node(name)
            pods: list[PodInfo] = []
            for each in _of(chosen, "pods") or ():
                uid = str(_of(each, "uid"))
                pod = node.pods.get(uid) if node is not None else None
                if pod is None:
                    why = f"claims to preempt pod (UID: {uid}) on node: {name}, but the pod is not found on that node"
                    raise ExtenderError(f"extender: {extender.url} {why}")
                pods.append(pod)
            if pods:
                left.append(Candidate(name, pods, int(_of(chosen, "numPDBViolations") or 0)))
        return left

    # ---- bind

    async def bind(self, info: PodInfo, node: str) -> bool:
        """Whether one of them has bound the pod. Raises ExtenderError."""
        for extender in self._extenders:
            if not extender.verb("bind") or not extender.concerns(info.pod):
                continue
            pod = {"podName": objects.name(info.pod), "podNamespace": objects.namespace(info.pod), "podUID": info.uid, "node": node}
            answer = await extender.ask(extender.verb("bind"), pod)
            if said := _of(answer or {}, "error"):
                raise ExtenderError(str(said))
            return True
        return False

    async def close(self) -> None:
        for extender in self._extenders:
            await extender.close()


def _file_of(stack: contextlib.ExitStack, data: bytes | None) -> str | None:
    """A certificate or key that is given in place: ssl reads nothing but files."""
    if not data:
        return None
    file = stack.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115
    file.write(data)
    file.flush()
    return str(file.name)


def _meta(pod: PodInfo) -> Object:
    return {"uid": pod.uid}


def _whole(pod: PodInfo) -> Object:
    return pod.pod


def _arguments(extender: Extender, info: PodInfo, nodes: Sequence[NodeInfo]) -> Object:
    """ExtenderArgs: names alone for one that knows the nodes."""
    if extender.cached:
        return {"pod": info.pod, "nodenames": [node.name for node in nodes]}
    items = [node.node for node in nodes]
    return {"pod": info.pod, "nodes": {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": items}}


def _of(answer: Mapping[str, Any], name: str) -> Any:
    """A field, whatever its case, as Go's decoder finds it."""
    if name in answer:
        return answer[name]
    return next((value for key, value in answer.items() if key.lower() == name.lower()), None)
