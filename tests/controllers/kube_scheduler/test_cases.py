"""Scheduling cases (cases/*.yaml), each as the scheduler places pods of one shape, and by a whole cycle for the pod alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controllers.kube_scheduler import volume_profile
from controllers.kube_scheduler.assignment import Assigner, Placement, Refusal
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.config.load import parse
from controllers.kube_scheduler.configured import profiles
from controllers.kube_scheduler.pod_info import PodInfo, Shapes
from controllers.kube_scheduler.preemption.evaluator import Evaluator
from controllers.kube_scheduler.preemption.profile import add as add_preemption
from controllers.kube_scheduler.relations import profile as relations
from controllers.kube_scheduler.relations.index import RelationIndex
from controllers.kube_scheduler.relations.terms import Subjects
from controllers.kube_scheduler.resizing import resized
from controllers.kube_scheduler.volume_cache import VolumeCache
from controllers.kube_scheduler.whole_cycle import PlainAssigner
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery import yaml
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import built_in
from kctl.client.client import Client

from ..fake_api import FakeApi

Object = dict[str, Any]
FOLDER = Path(__file__).parent / "cases"
NONE: Any = None
REQUIRED, PREFERRED = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
NAMESPACES = {"d": {"team": "one"}, "e": {"team": "two"}}
HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
STORAGE = {"StorageClass": "storage.k8s.io/v1", "CSINode": "storage.k8s.io/v1", "VolumeAttachment": "storage.k8s.io/v1"}


def every_case() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for group in yaml.load(path.read_text(), strict=True):
            for number, case in enumerate(group["cases"]):
                yield pytest.param(group, case, id=f"{path.stem}: {group['group']} {number}")


# ---- the short forms of the files


def node(name: str, short: Object) -> Object:
    allocatable = {"cpu": str(short.get("cpu", 4)), "memory": short.get("memory", "8Gi"), "pods": str(short.get("pods", 20))}
    allocatable |= {key: str(value) for key, value in (short.get("more") or {}).items()}
    labels = {"kubernetes.io/hostname": name, **(short.get("labels") or {}), **({"zone": short["zone"]} if "zone" in short else {})}
    taints = []
    for text in short.get("taints") or ():
        key, _, rest = text.partition("=")
        value, _, effect = rest.partition(":")
        taints.append({"key": key, "value": value, "effect": effect})
    images = [{"names": [image], "sizeBytes": size * 2**20} for image, size in (short.get("images") or {}).items()]
    spec = {"taints": taints, "unschedulable": short.get("cordoned", False)}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"allocatable": allocatable, "images": images}}


def container(short: Object, index: int, **more: Any) -> Object:
    requests = {name: str(short[name]) for name in ("cpu", "memory") if name in short}
    requests |= {name: str(value) for name, value in (short.get("more") or {}).items()}
    kept = {key: short[key] for key in ("restartPolicy",) if key in short}
    return {"name": f"c{index}", "image": short.get("image", "i"), "resources": {"requests": requests}, **kept, **more}


def port(text: Any) -> Object:
    before, _, number = str(text).rpartition("/")
    found: Object = {"containerPort": int(number), "hostPort": int(number)}
    if before in ("UDP", "TCP"):
        found["protocol"] = before
    elif before:
        found["hostIP"] = before
    return found


def pod(short: Object, uid: str) -> Object:
    spec: Object = {
        key: short[key] for key in ("nodeName", "nodeSelector", "tolerations", "overhead", "hostNetwork", "resources") if key in short
    }
    ports = [port(text) for text in short.get("ports") or ()]
    spec["containers"] = [container(each, index) for index, each in enumerate(short.get("containers") or [])] or [
        container(short, 0, ports=ports)
    ]
    spec["initContainers"] = [container(each, 9 + index) for index, each in enumerate(short.get("initContainers") or ())]
    spec["volumes"] = list(short.get("volumes") or ())
    spec["volumes"] += [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in short.get("claims") or ()]
    spread = [{"whenUnsatisfiable": "DoNotSchedule", **each} for each in short.get("spread") or ()]
    spread += [{"whenUnsatisfiable": "ScheduleAnyway", **each} for each in short.get("spreadSoftly") or ()]
    spec |= {"topologySpreadConstraints": spread} if spread else {}
    spec |= {"affinity": found} if (found := affinity(short)) else {}
    meta = {"name": uid, "namespace": short.get("ns", "d"), "uid": uid, "labels": short.get("labels") or {}, "resourceVersion": "1"}
    meta |= {"deletionTimestamp": "2026-01-01T00:00:00Z"} if short.get("leaving") else {}
    return {"metadata": meta, "spec": spec, "status": short.get("status") or {}}


def affinity(short: Object) -> Object:
    found: Object = {}
    terms = [{"matchExpressions": each} for each in short.get("needs") or ()]
    terms += [{"matchFields": [_named(name) for name in names]} for names in short.get("named") or ()]
    if terms:
        found["nodeAffinity"] = {REQUIRED: {"nodeSelectorTerms": terms}}
    if "likes" in short:
        found["nodeAffinity"] = {PREFERRED: [{"weight": w, "preference": {"matchExpressions": list(each)}} for w, *each in short["likes"]]}
    for kind, needed, liked in (("podAffinity", "near", "likesNear"), ("podAntiAffinity", "apart", "likesApart")):
        if needed in short:
            found.setdefault(kind, {})[REQUIRED] = short[needed]
        if liked in short:
            found.setdefault(kind, {})[PREFERRED] = [{"weight": weight, "podAffinityTerm": term} for weight, term in short[liked]]
    return found


def _named(name: str) -> Object:
    return {"key": "metadata.name", "operator": "In", "values": [name]}


def stored(short: Object) -> Object:
    kind, meta = short["kind"], {"name": short["name"], "resourceVersion": "1", "labels": short.get("labels") or {}, "annotations": {}}
    match kind:
        case "PersistentVolumeClaim":
            meta |= {"namespace": "d", "annotations": {"pv.kubernetes.io/bind-completed": "yes"} if "volume" in short else {}}
            spec = {"volumeName": short.get("volume", ""), "accessModes": short.get("modes") or ["ReadWriteOnce"]}
            spec |= {"storageClassName": short.get("class", ""), "resources": {"requests": {"storage": "1Gi"}}}
            return {
                "metadata": meta,
                "spec": spec,
                "status": {"phase": short.get("phase") or ("Bound" if "volume" in short else "Pending")},
            }
        case "PersistentVolume":
            needs = [{"key": key, "operator": "In", "values": [value]} for key, value in (short.get("needs") or {}).items()]
            spec = {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": needs}]}}} if needs else {}
            spec |= {"csi": {"driver": short["csi"], "volumeHandle": short["name"]}} if "csi" in short else {}
            return {"metadata": meta, "spec": {"capacity": {"storage": "1Gi"}, **spec}, "status": {"phase": "Bound"}}
        case "VolumeAttachment":
            return {"metadata": meta, "spec": {"nodeName": short["node"], "source": {"persistentVolumeName": short["volume"]}}}
    topology = [{"key": key, "values": [value]} for key, value in (short.get("topology") or {}).items()]
    terms = {"allowedTopologies": [{"matchLabelExpressions": topology}]} if topology else {}
    return {"metadata": meta, "volumeBindingMode": short["mode"], "provisioner": short["provisioner"], **terms}


# ---- a case


class Scene:
    def __init__(self, group: Object) -> None:
        configs = [{"name": name, "args": args} for name, args in (group.get("args") or {}).items()]
        (base,) = profiles(parse(yaml.dump({**HEAD, "profiles": [{"pluginConfig": configs}]})), NONE, NONE)
        self.cache = Cache()
        informers = InformerFactory(Client(FakeApi()), FakeClock())
        profile = volume_profile.add(base, VolumeCache(informers), NONE, NONE)
        self.profile = relations.add(profile, RelationIndex(self.cache, Subjects(), lambda name: NAMESPACES[name]))
        self.shapes = Shapes(self.profile.reads)
        for name, short in group["nodes"].items():
            self.cache.set_node(node(name, short))
            if "csi" in short:
                drivers = [{"name": driver, "allocatable": {"count": count}} for driver, count in short["csi"].items()]
                made = {"metadata": {"name": name, "resourceVersion": "1"}, "spec": {"drivers": drivers}}
                informers.informer(built_in("storage.k8s.io/v1", "CSINode")).observe([made])
        for short in group.get("objects") or ():
            informers.informer(built_in(STORAGE.get(short["kind"], "v1"), short["kind"])).observe([stored(short)])
        for number, short in enumerate(group.get("placed") or ()):
            body = pod(short, f"there-{number}")
            body["spec"]["nodeName"] = short["node"]
            informers.informer(built_in("v1", "Pod")).observe([body])
            self.cache.add_pod(resized(body, self.shapes), short["node"])

    def decisions(self, wanted: PodInfo) -> Iterator[tuple[str, set[str], Placement | Refusal]]:
        """Which nodes do, and what is chosen, by either way."""
        every = {each.name for each in self.cache.nodes()}
        for kind in (Assigner, PlainAssigner):
            assigner: Any = kind(self.profile, self.cache, random.Random(1))
            fits = every - set(assigner.refusals(wanted))
            found = assigner.assign(wanted)
            self.cache.forget(wanted)
            yield kind.__name__, fits, found


@pytest.mark.parametrize(("group", "case"), list(every_case()))
def test_case(group: Object, case: Object) -> None:
    scene = Scene(group)
    wanted = PodInfo.of(pod(case["pod"], "wanted"), scene.shapes)
    for how, fits, found in scene.decisions(wanted):
        assert fits == set(case["fits"]), how
        if isinstance(found, Refusal):
            assert found.message.startswith(f"0/{len(group['nodes'])} nodes are available: {case['why']}."), how
        else:
            assert found.node == case.get("best", found.node), how
        if "why" in case and case["fits"]:
            assert _why(scene, wanted) == case["why"]


def _why(scene: Scene, wanted: PodInfo) -> str:
    """The reasons of the nodes that do not fit, counted as in the message of a pod that finds none."""
    counts: dict[str, int] = {}
    for status in PlainAssigner(scene.profile, scene.cache, random.Random(1)).refusals(wanted).values():
        for reason in status.reasons:
            counts[reason] = counts.get(reason, 0) + 1
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def test_the_user_of_a_claim_for_one_pod_can_be_evicted() -> None:
    group = {
        "nodes": {"a": {}, "b": {}},
        "objects": [
            {"kind": "PersistentVolumeClaim", "name": "alone", "volume": "v", "modes": ["ReadWriteOncePod"]},
            {"kind": "PersistentVolume", "name": "v"},
        ],
        "placed": [{"node": "a", "claims": ["alone"]}],
    }
    for kind in (Assigner, PlainAssigner):
        scene = Scene(group)
        profile = add_preemption(scene.profile, Evaluator(scene.cache, lambda: [], random.Random(1)))
        body = pod({"claims": ["alone"]}, "wanted")
        body["spec"]["priority"] = 10
        found = kind(profile, scene.cache, random.Random(1)).assign(PodInfo.of(body, scene.shapes))
        assert isinstance(found, Refusal) and found.nomination is not None
        assert (found.nomination.node, [victim.uid for victim in found.nomination.victims]) == ("a", ["there-0"])


def test_there_are_enough_cases() -> None:
    assert len(list(every_case())) >= 150
