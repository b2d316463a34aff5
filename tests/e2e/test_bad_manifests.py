"""Wrong manifests: kctl refuses each with kubectl's words and exit code, and nothing is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.differential import Pair, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl


def _deployment(spec: str = "", *, name: str = "web", labels: str = "{app: web}", pod: str = "") -> str:
    containers = pod or "containers: [{name: c, image: nginx}]"
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {labels}}}
    spec: {{{containers}}}
{spec}"""


def _container(fields: str) -> str:
    return _deployment(pod=f"containers: [{{name: c, image: nginx, {fields}}}]")


def _config_map(metadata: str, rest: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{{metadata}}}\n{rest}"


def _service(spec: str) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{{spec}}}\n"


def _job(spec: str, name: str = "j") -> str:
    return f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


MANIFESTS: dict[str, str | bytes] = {
    # not a manifest at all
    "empty file": "",
    "only blank lines": "\n\n  \n",
    "only comments": "# nothing\n# here\n",
    "only separators": "---\n---\n",
    "text": "hello\n",
    "number": "42\n",
    "list at the top": "- a\n- b\n",
    "binary file": b"\x00\x01\x02\xff\xfe\x7fELF",
    "null document": "null\n",
    # broken YAML and JSON
    "tab": "apiVersion: v1\nkind: ConfigMap\n\tmetadata: x\n",
    "mapping inside a value": "apiVersion: v1\nkind: ConfigMap\nmetadata: a: b\n",
    "wrong indentation": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n namespace: y\n",
    "unclosed bracket": "apiVersion: v1\nkind: [a\n",
    "unclosed brace": "apiVersion: v1\nmetadata: {a: b\n",
    "unclosed quote": 'apiVersion: "v1\nkind: a\n',
    "unknown anchor": "apiVersion: v1\nkind: *foo\n",
    "bad start of a token": "kind: @foo\n",
    "bad directive": "%foo bar\nkind: x\n",
    "sequence then mapping": "a:\n- b\nc\n",
    "second document is broken": _config_map("name: [") + "---\nfoo: [\n",
    "JSON without a comma": '{"apiVersion": "v1" "kind": "ConfigMap"}',
    "JSON cut short": '{"apiVersion": "v1"',
    "JSON with an unquoted word": '{"apiVersion": v1 v2}',
    # no type, or one that nobody serves
    "no kind": "apiVersion: v1\nmetadata: {name: x}\n",
    "no apiVersion": "kind: Pod\nmetadata: {name: x}\n",
    "neither": "metadata: {name: x}\n",
    "kind is a number": "apiVersion: v1\nkind: 1\n",
    "apiVersion is a number": "apiVersion: 1\nkind: Pod\n",
    "apiVersion with two slashes": "apiVersion: a/b/c\nkind: Pod\nmetadata: {name: x}\n",
    "unknown kind": "apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n",
    "unknown group": "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: x}\n",
    "removed Ingress version": "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: x}\n",
    "removed CronJob version": "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: x}\n",
    "removed PodSecurityPolicy": "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: x}\n",
    "kind in lower case": "apiVersion: v1\nkind: pod\nmetadata: {name: x}\n",
    "kind of another version": "apiVersion: v1\nkind: Deployment\nmetadata: {name: x}\n",
    "list with a bad item": "apiVersion: v1\nkind: List\nitems:\n- foo\n",
    "list with an item without kind": "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: x}\n",
    # names and metadata
    "no metadata": "apiVersion: v1\nkind: ConfigMap\n",
    "no name": _config_map("labels: {a: b}"),
    "name is a number": _config_map("name: 1"),
    "name in upper case": _config_map("name: BAD"),
    "name with an underscore": _config_map("name: a_b"),
    "name too long": _config_map("name: " + "a" * 254),
    "metadata is text": "apiVersion: v1\nkind: ConfigMap\nmetadata: foo\n",
    "label value with a space": _config_map('name: x, labels: {a: "b c"}'),
    "label key with a space": _config_map('name: x, labels: {"a b": c}'),
    "label is a number": _config_map("name: x, labels: {a: 1}"),
    "annotation is a bool": _config_map("name: x, annotations: {a: true}"),
    "namespace does not exist": _config_map("name: x, namespace: nowhere"),
    "unknown field in metadata": _config_map("name: x, lables: {a: b}"),
    "service name with a dot": "apiVersion: v1\nkind: Service\nmetadata: {name: a.b}\nspec: {ports: [{port: 80}]}\n",
    # unknown fields and wrong types
    "unknown field": _deployment("  replicsa: 3\n"),
    "unknown field at the top": _config_map("name: x", "dta: {a: b}\n"),
    "unknown fields, several": _deployment("  replicsa: 3\n  foo: 1\n", pod="containers: [{name: c, image: nginx, imag: x}]"),
    "replicas is text": _deployment('  replicas: "three"\n'),
    "replicas is a fraction": _deployment("  replicas: 1.5\n"),
    "containers is a map": _deployment(pod="containers: {name: c, image: nginx}"),
    "port is text": _container("ports: [{containerPort: http}]"),
    "env value is a number": _container("env: [{name: A, value: 1}]"),
    "data value is a number": _config_map("name: x", "data: {a: 1}\n"),
    "data is a list": _config_map("name: x", "data: [a]\n"),
    "secret data is not base64": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: '***'}\n",
    # what validation says
    "negative replicas": _deployment("  replicas: -1\n"),
    "selector mismatch": _deployment(labels="{app: other}"),
    "no containers": _deployment(pod="restartPolicy: Always"),
    "container without a name": _deployment(pod="containers: [{image: nginx}]"),
    "container without an image": _deployment(pod="containers: [{name: c}]"),
    "two containers of one name": _deployment(pod="containers: [{name: c, image: a}, {name: c, image: b}]"),
    "bad quantity": _container("resources: {requests: {cpu: 1x}}"),
    "negative quantity": _container('resources: {requests: {memory: "-1"}}'),
    "request above the limit": _container("resources: {requests: {cpu: 2}, limits: {cpu: 1}}"),
    "bad pull policy": _container("imagePullPolicy: Sometimes"),
    "port out of range": _container("ports: [{containerPort: 70000}]"),
    "bad protocol": _container("ports: [{containerPort: 80, protocol: HTTP}]"),
    "mount of an unknown volume": _container("volumeMounts: [{name: v, mountPath: /v}]"),
    "bad environment variable name": _container('env: [{name: "a=b", value: x}]'),
    "restart policy of a Deployment": _deployment(pod="restartPolicy: Never, containers: [{name: c, image: nginx}]"),
    "both surge and unavailable zero": _deployment("  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}\n"),
    "service without ports": _service("selector: {a: b}"),
    "service port out of range": _service("ports: [{port: 0}]"),
    "service type": _service("type: Foo, ports: [{port: 80}]"),
    "service ports without names": _service("ports: [{port: 80}, {port: 81}]"),
    "bad cluster IP": _service("clusterIP: 1.2.3, ports: [{port: 80}]"),
    "bad schedule": "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec: {schedule: foo, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}\n",  # noqa: E501
    "job with restartPolicy Always": _job("template: {spec: {restartPolicy: Always, containers: [{name: c, image: i}]}}"),
    "ingress without rules": "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\nspec: {}\n",
    "priority class above the limit": "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: x}\nvalue: 2000000001\n",
}


@pytest.fixture(scope="module", autouse=True)
def namespace(pair: Pair) -> None:
    pair.kctl("create", "serviceaccount", "default")


def _stored(pair: Pair) -> str:
    kinds = "configmaps,secrets,services,deployments,jobs,cronjobs,ingresses,priorityclasses,pods"
    return pair.kctl("get", kinds, "-o", "name").out


@pytest.mark.parametrize("command", ["create", "apply"])
@pytest.mark.parametrize("name", MANIFESTS)
def test_refused_alike(pair: Pair, tmp_path: Path, name: str, command: str) -> None:
    text = MANIFESTS[name]
    path = tmp_path / "bad.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    before = _stored(pair)
    outcome = pair.agree(command, "-f", str(path))
    assert outcome.code == 1
    assert outcome.err
    assert _stored(pair) == before


IMMUTABLE = {
    "selector of a Deployment": (
        _deployment(name="first"),
        _deployment(name="first", labels="{app: web2}").replace("matchLabels: {app: web}", "matchLabels: {app: web2}"),
    ),
    "template of a Job": (
        _job("template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}", "first"),
        _job("template: {spec: {restartPolicy: Never, containers: [{name: c, image: j}]}}", "first"),
    ),
    "data of an immutable ConfigMap": (
        _config_map("name: first", "data: {a: b}\nimmutable: true\n"),
        _config_map("name: first", "data: {a: c}\nimmutable: true\n"),
    ),
    "type of a Secret": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: first}\ntype: a/b\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: first}\ntype: c/d\n",
    ),
}


@pytest.mark.parametrize("name", IMMUTABLE)
def test_immutable_fields(pair: Pair, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.yaml"
    first, second = IMMUTABLE[name]
    path.write_text(first)
    assert pair.kctl("apply", "-f", str(path)).code == 0
    path.write_text(second)
    outcome = pair.agree("apply", "-f", str(path))
    assert outcome.code == 1
