"""PodSecurity: every check of the Pod Security Standards by version, and what a namespace's labels do with it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, NAMESPACES, PODS
from kctl.apimachinery.status import Forbidden, Invalid
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.client.transport import ApiRequest
from kctl.kube_apiserver.admission.pod_security import Exemptions, PodSecurity, PodSecurityConfiguration, Policy, policy_of
from kctl.kube_apiserver.admission.pod_security_standards import LATEST, evaluate
from tests.kctl.kube_apiserver.admission.conftest import Api

GOOD = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def spec(*contexts: Object, **more: Any) -> Object:
    containers = [{"name": name, "image": "i", "securityContext": context} for name, context in zip("abc", contexts, strict=False)]
    return {"containers": containers or [{"name": "a", "image": "i"}], **more}


def failures(level: str, pod: Object, minor: int = LATEST, annotations: Object | None = None) -> str:
    return ", ".join(map(str, evaluate(level, minor, annotations or {}, pod)))


BASELINE = [
    (spec(hostNetwork=True, hostIPC=True), "host namespaces (hostNetwork=true, hostIPC=true)"),
    (spec({"privileged": True}, {"privileged": True}), 'privileged (containers "a", "b" must not set securityContext.privileged=true)'),
    (
        spec({"capabilities": {"add": ["NET_RAW", "CHOWN", "BPF"]}}),
        'non-default capabilities (container "a" must not include "BPF", "NET_RAW" in securityContext.capabilities.add)',
    ),
    (spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "hostPath": {}}]), 'hostPath volumes (volumes "v", "w")'),
    (
        {"containers": [{"name": "a", "ports": [{"hostPort": 80}, {"hostPort": 443}]}, {"name": "b", "ports": [{"hostPort": 80}]}]},
        'hostPort (containers "a", "b" use hostPorts 443, 80)',
    ),
    (
        {
            "containers": [
                {"name": "a", "livenessProbe": {"httpGet": {"host": "h"}}, "lifecycle": {"preStop": {"tcpSocket": {"host": "g"}}}}
            ]
        },
        'probe or lifecycle host (container "a" uses probe or lifecycle hosts "g", "h")',
    ),
    (spec({"procMount": "Unmasked"}), 'procMount (container "a" must not set securityContext.procMount to "Unmasked")'),
    (
        spec({"seLinuxOptions": {"type": "spc_t", "user": "u"}}, securityContext={"seLinuxOptions": {"role": "r"}}),
        'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; '
        "role may not be set)",
    ),
    (
        spec({"seccompProfile": {"type": "Unconfined"}}, securityContext={"seccompProfile": {"type": "Unconfined"}}),
        'seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (spec(securityContext={"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_rmem"}]}), "forbidden sysctls (kernel.msgmax)"),
    (
        spec({"windowsOptions": {"hostProcess": True}}),
        'hostProcess (container "a" must not set securityContext.windowsOptions.hostProcess=true)',
    ),
    (
        spec({"appArmorProfile": {"type": "Unconfined"}}),
        'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
    ),
    (
        {"initContainers": [{"name": "i", "securityContext": {"privileged": True}}], "containers": []},
        'privileged (container "i" must not set securityContext.privileged=true)',
    ),
]


@pytest.mark.parametrize(("pod", "text"), BASELINE, ids=[text.partition(" (")[0] for _, text in BASELINE])
def test_baseline(pod: Object, text: str) -> None:
    assert failures("baseline", pod) == text
    assert failures("privileged", pod) == ""
    assert failures("baseline", spec(GOOD)) == ""


RESTRICTED = [
    (
        {"allowPrivilegeEscalation": True},
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    ),
    ({"capabilities": {"drop": ["KILL"]}}, 'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])'),
    (
        {"capabilities": {"drop": ["ALL"], "add": ["CHOWN", "NET_BIND_SERVICE"]}},
        'unrestricted capabilities (container "a" must not include "CHOWN" in securityContext.capabilities.add)',
    ),
    ({"runAsNonRoot": False}, 'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)'),
    ({"runAsNonRoot": None}, 'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)'),
    ({"runAsUser": 0}, 'runAsUser=0 (container "a" must not set runAsUser=0)'),
    (
        {"seccompProfile": None},
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ),
    (
        {"seccompProfile": {"type": "Unconfined"}},
        'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    ({"procMount": "Unmasked"}, 'procMount (container "a" must not set securityContext.procMount to "Unmasked")'),
]


@pytest.mark.parametrize(("change", "text"), RESTRICTED, ids=[text.partition(" (")[0] + str(i) for i, (_, text) in enumerate(RESTRICTED)])
def test_restricted(change: Object, text: str) -> None:
    assert failures("restricted", spec(GOOD)) == ""
    assert failures("restricted", spec({**GOOD, **change})) == text


def test_restricted_volumes_stand_for_the_host_paths_among_them() -> None:
    volumes = [{"name": "h", "hostPath": {}}, {"name": "n", "nfs": {}}, {"name": "e", "emptyDir": {}}, {"name": "i", "image": {}}]
    assert failures("restricted", spec(GOOD, volumes=volumes)) == (
        'restricted volume types (volumes "h", "n", "i" use restricted volume types "hostPath", "nfs", "unknown")'
    )


VERSIONS = [
    ("baseline", spec(securityContext={"sysctls": [{"name": "net.ipv4.tcp_keepalive_time"}]}), (28, False), (29, True)),
    ("baseline", spec({"seLinuxOptions": {"type": "container_engine_t"}}), (30, False), (31, True)),
    ("baseline", {"containers": [{"name": "a", "livenessProbe": {"tcpSocket": {"host": "h"}}}]}, (33, True), (34, False)),
    ("baseline", spec({"procMount": "Unmasked"}, hostUsers=False), (34, False), (35, True)),
    ("baseline", spec({"seccompProfile": {"type": "Unconfined"}}), (18, True), (19, False)),
    ("restricted", spec({**GOOD, "allowPrivilegeEscalation": True}), (7, True), (8, False)),
    ("restricted", spec({**GOOD, "capabilities": {}}), (21, True), (22, False)),
    ("restricted", spec({**GOOD, "runAsUser": 0}), (22, True), (23, False)),
    ("restricted", spec({"runAsNonRoot": True}, os={"name": "windows"}), (24, False), (25, True)),
    ("restricted", spec({**GOOD, "runAsNonRoot": None, "runAsUser": 0}, hostUsers=False), (36, True), (LATEST, True)),
]


@pytest.mark.parametrize(("level", "pod", "before", "since"), VERSIONS)
def test_a_version_has_the_checks_of_its_time(level: str, pod: Object, before: tuple[int, bool], since: tuple[int, bool]) -> None:
    for minor, allowed in (before, since):
        assert (failures(level, pod, minor) == "") is allowed


def test_seccomp_annotations_of_old_versions() -> None:
    marked = {
        "container.seccomp.security.alpha.kubernetes.io/a": "unconfined",
        "seccomp.security.alpha.kubernetes.io/pod": "runtime/default",
    }
    assert failures("baseline", spec(), 18, marked) == (
        'seccompProfile (forbidden annotation container.seccomp.security.alpha.kubernetes.io/a="unconfined")'
    )


# ---- labels


async def test_a_namespace_enforces_what_its_labels_say(api: Api) -> None:
    await api.namespace(
        "strict", **{"pod-security.kubernetes.io__enforce": "restricted", "pod-security.kubernetes.io__enforce-version": "v1.22"}
    )
    with pytest.raises(Forbidden) as error:
        await api.pod(namespace="strict", hostPID=True)
    assert str(error.value).startswith(
        'pods "p" is forbidden: violates PodSecurity "restricted:v1.22": host namespaces (hostPID=true), allow'
    )
    await api.pod("fine", "strict", **spec(GOOD))
    await api.pod("free")
    with pytest.raises(Forbidden, match="ephemeral"):
        body = {"spec": {"ephemeralContainers": [{"name": "ephemeral", "image": "i"}]}}
        await api.client.patch(PODS, "fine", body, "strict", subresource="ephemeralcontainers")
    await api.client.patch(PODS, "fine", {"metadata": {"labels": {"a": "b"}}}, "strict")


async def test_who_makes_pods_from_a_template_is_refused_too_and_after_a_change_of_the_labels(api: Api) -> None:
    await api.namespace("strict")
    client = Client(api.server.component_transport(ADMIN))
    pod_spec = spec()

    async def make(name: str) -> None:
        await client.create(
            PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "strict"}, "spec": pod_spec}, "strict"
        )

    await make("a")
    await make("b")
    await api.client.patch(NAMESPACES, "strict", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    with pytest.raises(Forbidden, match="violates PodSecurity"):
        await make("c")


async def warnings_of(api: Api, request: ApiRequest) -> list[str]:
    return list((await api.client.transport.request(request)).warnings)


async def test_workloads_are_warned_of_and_stored(api: Api) -> None:
    await api.namespace("warned", **{"pod-security.kubernetes.io__warn": "baseline"})
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec(hostNetwork=True)}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    text = 'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert text in await warnings_of(api, ApiRequest("create", DEPLOYMENTS, "warned", body=body))
    assert text in await warnings_of(api, ApiRequest("create", PODS, "warned", body={"metadata": {"name": "p"}, "spec": template["spec"]}))


async def test_a_stricter_level_tells_which_pods_would_be_refused_now(api: Api) -> None:
    await api.namespace("n")
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u", "controller": True}
    for name in ("b", "a", "c"):
        await api.create("v1", "Pod", name, "n", metadata={"ownerReferences": [owner]}, spec=spec(hostNetwork=True))
    await api.pod("z", "n", hostPID=True, hostNetwork=True)
    await api.pod("m", "n", volumes=[{"name": "v", "hostPath": {"path": "/"}}])
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    request = ApiRequest("patch", NAMESPACES, "", "n", body=label, content_type="application/merge-patch+json")
    assert await warnings_of(api, request) == [
        'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 3 other pods): host namespaces",
        "m: hostPath volumes",
    ]
    relaxed = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    request = ApiRequest("patch", NAMESPACES, "", "n", body=relaxed, content_type="application/merge-patch+json")
    assert await warnings_of(api, request) == []


async def test_labels_that_say_nothing_are_refused(api: Api) -> None:
    with pytest.raises(Invalid) as error:
        await api.namespace("n", **{"pod-security.kubernetes.io__enforce": "strict", "pod-security.kubernetes.io__warn-version": "1.2"})
    assert str(error.value) == (
        'Namespace "n" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of '
        "privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "
        '"1.2": must be "latest" or "v1.x"]'
    )


def test_what_cannot_be_read_is_enforced_as_the_strictest_and_not_warned_of() -> None:
    labels = {f"pod-security.kubernetes.io/{mode}": "x" for mode in ("enforce", "audit", "warn")}
    policy, errors = policy_of(labels, Policy())
    assert [str(each) for each in (policy.enforce, policy.audit, policy.warn)] == [
        "restricted:latest",
        "privileged:latest",
        "privileged:latest",
    ]
    assert len(errors) == 3


@pytest.mark.parametrize(
    "exemptions", [Exemptions(namespaces=("strict",)), Exemptions(usernames=(ADMIN.name,)), Exemptions(runtime_classes=("sandbox",))]
)
async def test_exempt_is_whom_the_configuration_names(api: Api, exemptions: Exemptions) -> None:
    await api.create("node.k8s.io/v1", "RuntimeClass", "sandbox", handler="h")
    await api.namespace("strict", **{"pod-security.kubernetes.io__enforce": "restricted"})
    step = next(each for each in api.server.registry.shared.admission.steps if each.module == "pod_security")
    step.plugin = PodSecurity(PodSecurityConfiguration(exemptions=exemptions))
    api.server.registry.shared.admission = api.server.registry.shared.admission.extended()
    made = await api.pod(namespace="strict", hostPID=True, runtimeClassName="sandbox")
    assert objects.name(made) == "p"
