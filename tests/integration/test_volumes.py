"""Claims get volumes, pods wait for both: binding, provisioning, scheduling, growth and release, on a whole simulated cluster."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.resources import NAMESPACES, NODES, PODS, STATEFUL_SETS
from tests.integration.storage import CLAIMS, CLASSES, VOLUMES, bound, claim, claim_spec, storage_class, volume
from tests.integration.whole_cluster import claim_volume, whole_cluster

PREEMPTION = "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
WAITING = ("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")


# ---- the default class


async def test_a_claim_of_the_default_class_waits_for_its_pod_and_gets_a_volume_on_its_node() -> None:
    async with whole_cluster() as cluster:
        default = await cluster.get(CLASSES, "standard")
        assert objects.annotations(default)["storageclass.kubernetes.io/is-default-class"] == "true"
        assert (default["volumeBindingMode"], default["reclaimPolicy"]) == ("WaitForFirstConsumer", "Delete")
        await claim(cluster, "data")
        await cluster.settle(1)
        waiting = await cluster.get(CLAIMS, "data")
        assert objects.spec(waiting)["storageClassName"] == "standard" and objects.status(waiting) == {"phase": "Pending"}
        assert set(await cluster.events("data")) == {WAITING}
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(2)
        assert await cluster.phase(PODS, "p") == "Running"
        node = objects.spec(await cluster.get(PODS, "p"))["nodeName"]
        name = f"pvc-{objects.uid(waiting)}"
        assert await bound(cluster, "data") == name
        made = await cluster.get(VOLUMES, name)
        spec = objects.spec(made)
        (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]
        assert (spec["capacity"], spec["persistentVolumeReclaimPolicy"]) == ({"storage": "1Gi"}, "Delete")
        assert objects.annotations(made)["pv.kubernetes.io/provisioned-by"] == "kctl.dev/host-path"
        have = await cluster.get(CLAIMS, "data")
        assert objects.annotations(have) == {
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.beta.kubernetes.io/storage-provisioner": "kctl.dev/host-path",
            "volume.kubernetes.io/selected-node": node,
            "volume.kubernetes.io/storage-provisioner": "kctl.dev/host-path",
        }
        assert objects.status(have) == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
        told = await cluster.events("data")
        assert told[1:] == [
            (
                "Normal",
                "ExternalProvisioning",
                "Waiting for a volume to be created either by the external provisioner 'kctl.dev/host-path' or manually by the system "
                "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
            ),
            ("Normal", "Provisioning", 'External provisioner is provisioning volume for claim "default/data"'),
            ("Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}"),
        ]


async def test_a_deleted_claim_takes_its_volume_with_it_once_its_pod_is_gone() -> None:
    async with whole_cluster() as cluster:
        await claim(cluster, "data")
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(2)
        have = await bound(cluster, "data")
        await cluster.delete(CLAIMS, "data")
        await cluster.settle(2)
        assert await cluster.phase(VOLUMES, have) == "Bound" and await cluster.exists(CLAIMS, "data")
        await cluster.delete(PODS, "p")
        await cluster.settle(40)
        assert await cluster.items(CLAIMS) == [] == await cluster.items(VOLUMES)


async def test_stateful_sets_with_claim_templates_become_ready_and_their_namespace_goes() -> None:
    async with whole_cluster() as cluster:
        await cluster.create(NAMESPACES, "db")
        await cluster.settle(1)
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        template["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]  # type: ignore[index]
        await cluster.create(
            STATEFUL_SETS,
            "web",
            "db",
            spec={
                "replicas": 3,
                "serviceName": "web",
                "selector": {"matchLabels": {"app": "web"}},
                "template": template,
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim_spec()}],
            },
        )
        await cluster.settle(10)
        assert objects.status(await cluster.get(STATEFUL_SETS, "web", "db"))["readyReplicas"] == 3
        phases = {objects.name(each): objects.status(each)["phase"] for each in await cluster.items(CLAIMS, "db")}
        assert phases == {"data-web-0": "Bound", "data-web-1": "Bound", "data-web-2": "Bound"}
        await cluster.delete(NAMESPACES, "db")
        await cluster.settle(60)
        assert not await cluster.exists(NAMESPACES, "db") and await cluster.items(VOLUMES) == []


async def test_generic_ephemeral_volumes_come_and_go_with_their_pod() -> None:
    async with whole_cluster() as cluster:
        template = {"metadata": {"labels": {"for": "scratch"}}, "spec": claim_spec()}
        made = await cluster.pod("p", {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}})
        await cluster.settle(3)
        assert await cluster.phase(PODS, "p") == "Running"
        have = await cluster.get(CLAIMS, "p-scratch")
        (owner,) = objects.owner_references(have)
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Pod", objects.uid(made), True)
        assert objects.labels(have) == {"for": "scratch"} and await bound(cluster, "p-scratch")
        await cluster.delete(PODS, "p")
        await cluster.settle(40)
        assert await cluster.items(CLAIMS) == [] == await cluster.items(VOLUMES)


async def test_a_claim_of_somebody_else_is_not_taken_for_an_ephemeral_volume() -> None:
    async with whole_cluster() as cluster:
        await claim(cluster, "p-scratch")
        await cluster.pod("p", {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": claim_spec()}}})
        await cluster.settle(3)
        why = "PVC default/p-scratch was not created for pod default/p (pod is not owner)"
        assert await cluster.condition("p") == f"0/3 nodes are available: {why}. no new claims to deallocate, {PREEMPTION}"


# ---- scheduling


async def test_why_a_pod_with_claims_has_no_node() -> None:
    async with whole_cluster() as cluster:
        await cluster.pod("absent", claim_volume("nobody"))
        await claim(cluster, "unbound", storageClassName="")
        await cluster.pod("immediate", claim_volume("unbound"))
        await storage_class(cluster, "local", "kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer")
        await claim(cluster, "nowhere", storageClassName="local")
        await cluster.pod("delayed", claim_volume("nowhere"))
        await cluster.settle(2)
        start = "0/3 nodes are available:"
        none = "no new claims to deallocate"
        assert await cluster.condition("absent") == f'{start} persistentvolumeclaim "nobody" not found. {none}, {PREEMPTION}'
        assert await cluster.condition("immediate") == f"{start} pod has unbound immediate PersistentVolumeClaims. {none}, {PREEMPTION}"
        lacking = "3 node(s) didn't find available persistent volumes to bind"
        assert await cluster.condition("delayed") == f"{start} {lacking}. {none}, {PREEMPTION}"
        assert ("Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set") in (
            await cluster.events("unbound")
        )
        await claim(cluster, "nobody")
        await volume(cluster, "by-hand", storageClassName="")
        await volume(cluster, "local-one", storageClassName="local")
        await cluster.settle(12)
        assert [await cluster.phase(PODS, name) for name in ("absent", "immediate", "delayed")] == ["Running"] * 3
        assert (await bound(cluster, "unbound"), await bound(cluster, "nowhere")) == ("by-hand", "local-one")


async def test_a_pod_goes_where_its_volume_is() -> None:
    async with whole_cluster() as cluster:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-2"]}]}
        await volume(cluster, "there", nodeAffinity={"required": {"nodeSelectorTerms": [term]}})
        await claim(cluster, "data", storageClassName="manual")
        for number in range(4):
            await cluster.pod(f"p{number}", claim_volume("data"))
        await cluster.pod("elsewhere", claim_volume("data"), nodeSelector={"kubernetes.io/hostname": "node-1"})
        await cluster.settle(4)
        assert {objects.spec(await cluster.get(PODS, f"p{number}"))["nodeName"] for number in range(4)} == {"node-2"}
        why = "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 node(s) didn't match Pod's node affinity/selector."
        assert (await cluster.condition("elsewhere")).startswith(why)


async def test_pods_scheduled_together_do_not_get_the_same_volume() -> None:
    async with whole_cluster() as cluster:
        await storage_class(cluster, "local", "kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer")
        for number in range(3):
            await volume(cluster, f"v{number}", f"{number + 1}Gi", storageClassName="local")
        for number in range(3):
            await claim(cluster, f"c{number}", storageClassName="local")
        await cluster.settle(1)
        for number in range(3):
            await cluster.pod(f"p{number}", claim_volume(f"c{number}"))
        await cluster.settle(15)
        assert sorted([await bound(cluster, f"c{number}") for number in range(3)]) == ["v0", "v1", "v2"]


async def test_one_pod_at_a_time_for_read_write_once_pod() -> None:
    async with whole_cluster() as cluster:
        await claim(cluster, "mine", modes=("ReadWriteOncePod",))
        await cluster.pod("first", claim_volume("mine"))
        await cluster.settle(2)
        await cluster.pod("second", claim_volume("mine"))
        await cluster.settle(2)
        why = "3 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
        assert (await cluster.condition("second")).startswith(f"0/3 nodes are available: {why}.")
        await cluster.delete(PODS, "first")
        await cluster.settle(45)
        assert await cluster.phase(PODS, "second") == "Running"


async def test_zone_labels_of_a_volume() -> None:
    async with whole_cluster() as cluster:
        await cluster.merge(NODES, "node-1", {"metadata": {"labels": {"topology.kubernetes.io/zone": "b"}}})
        await volume(cluster, "zonal", labels={"topology.kubernetes.io/zone": "a__b"})
        await claim(cluster, "data", storageClassName="manual")
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(3)
        assert objects.spec(await cluster.get(PODS, "p"))["nodeName"] == "node-1"


async def test_the_choice_of_a_node_is_taken_back_when_the_volume_cannot_be_made_there() -> None:
    async with whole_cluster() as cluster:
        topology = [{"matchLabelExpressions": [{"key": "kubernetes.io/hostname", "values": ["node-1"]}]}]
        await storage_class(cluster, "one", volumeBindingMode="WaitForFirstConsumer", allowedTopologies=topology)
        await claim(cluster, "data", storageClassName="one")
        await cluster.merge(CLAIMS, "data", {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "gone"}}})
        await cluster.settle(1)
        failed = ("Warning", "ProvisioningFailed", 'failed to provision volume with StorageClass "one": nodes "gone" not found')
        assert failed in await cluster.events("data")
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(3)
        assert objects.spec(await cluster.get(PODS, "p"))["nodeName"] == "node-1"


async def test_a_pod_deleted_while_its_volume_is_waited_for_lets_go_of_its_node() -> None:
    async with whole_cluster() as cluster:
        await storage_class(cluster, "slow", "example.com/nobody", volumeBindingMode="WaitForFirstConsumer")
        await claim(cluster, "data", storageClassName="slow")
        big = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "3"}}}]
        for number in range(3):
            await cluster.pod(f"p{number}", claim_volume("data"), containers=big)
        await cluster.settle(2)
        assert not objects.spec(await cluster.get(PODS, "p0")).get("nodeName")
        for number in range(3):
            await cluster.delete(PODS, f"p{number}")
        await cluster.settle(2)
        for number in range(3):
            await cluster.pod(f"q{number}", containers=big)
        await cluster.settle(2)
        assert len({objects.spec(await cluster.get(PODS, f"q{number}"))["nodeName"] for number in range(3)}) == 3


async def test_binding_is_given_up_after_ten_minutes_and_tried_again() -> None:
    async with whole_cluster() as cluster:
        await storage_class(cluster, "slow", "example.com/nobody", volumeBindingMode="WaitForFirstConsumer")
        await claim(cluster, "data", storageClassName="slow")
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(602)
        why = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
        assert await cluster.condition("p") == why
        assert ("Warning", "FailedScheduling", why) in await cluster.events("p")


# ---- growth, and the kubelet


async def test_a_claim_grows_with_its_volume() -> None:
    async with whole_cluster() as cluster:
        await claim(cluster, "data")
        await cluster.pod("p", claim_volume("data"))
        await cluster.settle(2)
        have = await bound(cluster, "data")
        await cluster.merge(CLAIMS, "data", {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
        await cluster.settle(2)
        status = objects.status(await cluster.get(CLAIMS, "data"))
        assert status == {
            "phase": "Bound",
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "3Gi"},
            "allocatedResources": {"storage": "3Gi"},
        }
        assert objects.spec(await cluster.get(VOLUMES, have))["capacity"] == {"storage": "3Gi"}
        told = await cluster.events("data")
        assert ("Normal", "Resizing", f"External resizer is resizing volume {have}") in told
        assert ("Normal", "VolumeResizeSuccessful", "Resize volume succeeded") in told
        ignored = "didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC."
        assert ("Warning", "ExternalExpanding", f"Ignoring the PVC: {ignored}") in told


async def test_a_pod_that_names_its_node_waits_there_for_its_claim() -> None:
    async with whole_cluster() as cluster:
        await cluster.pod("p", claim_volume("data"), nodeName="node-1")
        await cluster.settle(1)
        assert await cluster.phase(PODS, "p") == "Pending"
        start = (
            "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: "
            "error processing PVC default/data: "
        )
        gone = f'{start}failed to fetch PVC from API server: persistentvolumeclaims "data" not found'
        assert ("Warning", "FailedMount", gone) in await cluster.events("p")
        await claim(cluster, "data", storageClassName="manual")
        await cluster.settle(1)
        assert ("Warning", "FailedMount", f"{start}PVC is not bound") in await cluster.events("p")
        await volume(cluster, "v")
        await cluster.settle(2)
        assert await cluster.phase(PODS, "p") == "Running"
