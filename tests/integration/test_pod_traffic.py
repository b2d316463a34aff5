"""Traffic between pods of a whole cluster: what scheduler, controllers and kubelets make of a Deployment and its Service."""

from __future__ import annotations

import json

import pytest

from tests.conformance.suite import APPS, PODS, container, is_ready, suite, template
from tests.conformance.traffic import SERVICES, asking_pod, create_service, ready_pod, shell

pytestmark = pytest.mark.virtual_time
NGINX = "nginx:1.27"


async def test_an_image_s_own_server_behind_a_service() -> None:
    """The pods say no command: their servers begin with the first connection."""
    labels = {"app": "web"}
    async with suite(2) as e2e:
        spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template(labels, NGINX)}
        await e2e.create(f"{APPS}/deployments", {"metadata": {"name": "web"}, "spec": spec})
        await create_service(e2e, "web", labels, [{"port": 80, "targetPort": 80}])
        await e2e.running("app=web", 2)
        asking = await asking_pod(e2e)
        assert "Welcome to nginx!" in (await shell(e2e, asking, "curl -s http://web.e2e")).output
        await e2e.patch(f"{APPS}/deployments/web", {"spec": {"replicas": 0}})
        await e2e.running("app=web", 0)
        await e2e.settle(5)
        refused = await shell(e2e, asking, "curl -sS http://web")
        assert refused.code == 7
        assert "Connection refused" in refused.error or "Could not connect" in refused.error or "Failed to connect" in refused.error


async def test_a_pod_that_is_not_ready_gets_no_traffic() -> None:
    async with suite(1) as e2e:
        await create_service(e2e, "web", {"app": "web"}, [{"port": 80, "targetPort": 8080}])
        probe = {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
        served = container("c", args=["netexec", "--http-port=8080"], readinessProbe=probe)
        await e2e.create(PODS, {"metadata": {"name": "p", "labels": {"app": "web"}}, "spec": {"containers": [served]}})
        asking = await asking_pod(e2e)
        await e2e.settle(3)
        assert (await shell(e2e, asking, "curl -s http://web/hostname")).code == 7
        await shell(e2e, f"{PODS}/p", "touch /tmp/ready")
        await e2e.until(f"{PODS}/p", is_ready)
        await e2e.settle(1)
        assert (await shell(e2e, asking, "curl -s http://web/hostname")).output == "p"
        await e2e.patch(f"{SERVICES}/web", {"spec": {"publishNotReadyAddresses": True}})
        await shell(e2e, f"{PODS}/p", "rm /tmp/ready")
        await e2e.settle(3)
        assert (await shell(e2e, asking, "curl -s http://web/hostname")).output == "p"


async def test_kube_apiserver_is_where_its_service_leads() -> None:
    async with suite(1) as e2e:
        asking = await asking_pod(e2e)
        opened = await shell(e2e, asking, "nc -zv -w 2 kubernetes.default 443")
        assert "Connection to kubernetes.default 443 port [tcp/*] succeeded!" in opened.error
        assert (await shell(e2e, asking, "curl -s kubernetes.default:443")).output == "Client sent an HTTP request to an HTTPS server.\n"
        base = "https://kubernetes.default"
        assert (await shell(e2e, asking, f"curl -sk {base}/healthz")).output == "ok"
        nobody = json.loads((await shell(e2e, asking, f"curl -sk {base}/api/v1/namespaces/e2e/pods")).output)
        assert nobody["code"] == 403 and "system:anonymous" in nobody["message"]
        secrets = "/var/run/secrets/kubernetes.io/serviceaccount"
        script = f'curl -sk -H "Authorization: Bearer $(cat {secrets}/token)" {base}/api/v1/namespaces/$(cat {secrets}/namespace)/pods'
        known = json.loads((await shell(e2e, asking, script)).output)
        assert known["code"] == 403 and "system:serviceaccount:e2e:default" in known["message"]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": "e2e"}]
        bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/e2e/rolebindings"
        await e2e.create(bindings, {"metadata": {"name": "view"}, "roleRef": role, "subjects": subjects})
        listed = json.loads((await shell(e2e, asking, script)).output)
        assert [each["metadata"]["name"] for each in listed["items"]] == ["execpod"]
        endless = await shell(e2e, asking, script + "?watch=true")
        assert "has no end" in endless.output


async def test_a_container_that_restarts_listens_again() -> None:
    async with suite(1) as e2e:
        served = container("c", args=["netexec", "--http-port=8080"])
        made = await ready_pod(e2e, "p", served)
        asking = await asking_pod(e2e)
        url = f"http://{made['status']['podIP']}:8080"
        await shell(e2e, asking, f"curl -s '{url}/exit?code=1'")
        assert (await shell(e2e, asking, f"curl -s {url}/hostname")).code == 7
        await e2e.until(f"{PODS}/p", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1 and is_ready(pod))
        assert (await shell(e2e, asking, f"curl -s {url}/hostname")).output == "p"
