"""Containers in a description of a pod or a pod template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object
from kctl.cli.describe.values import boolean, go_bool, long_time, or_none, sorted_resources
from kctl.cli.describe.writer import Writer

Resolver = Callable[[dict[str, Any], Object], str]


def describe_containers(
    out: Writer,
    label: str,
    containers: Sequence[Object],
    statuses: Sequence[Object],
    space: str = "",
    resolve: Resolver = lambda reference, container: "",
) -> None:
    """`space` is the indentation of the block ('' in pods, two spaces in templates); `resolve` gives the value behind a
    fieldRef or resourceFieldRef."""
    by_name = {status["name"]: status for status in statuses}
    out.line(0, f"{space}{label}:" + ("" if containers else " <none>"))
    for container in containers:
        status = by_name.get(container["name"])
        _basics(out, container, status, space)
        _lines(out, "Command", container.get("command"))
        _lines(out, "Args", container.get("args"))
        if status is not None:
            _state(out, "State", status.get("state") or {})
            if (status.get("lastState") or {}).get("terminated"):
                _state(out, "Last State", status["lastState"])
            out.line(2, f"Ready:\t{boolean(status.get('ready'))}")
            out.line(2, f"Restart Count:\t{status.get('restartCount', 0)}")
        describe_resources(out, container.get("resources") or {}, 2)
        for title, name in (
            ("Liveness", "livenessProbe"),
            ("Readiness", "readinessProbe"),
            ("Startup", "startupProbe"),
        ):
            if container.get(name):
                out.line(2, f"{title}:\t{probe(container[name])}")
        _environment(out, container, resolve)
        _mounts(out, container)


def _basics(out: Writer, container: Object, status: Object | None, space: str) -> None:
    out.line(1, f"{' ' if space else ''}{container['name']}:")
    if status is not None:
        out.line(2, f"Container ID:\t{status.get('containerID', '')}")
    out.line(2, f"Image:\t{container.get('image', '')}")
    if status is not None:
        out.line(2, f"Image ID:\t{status.get('imageID', '')}")
    ports = container.get("ports") or []
    for title, texts in (
        ("Port", [_port(port, port["containerPort"], named=True) for port in ports]),
        ("Host Port", [_port(port, port.get("hostPort") or 0, named=True) for port in ports]),
    ):
        plural = "s" if len(texts) > 1 else ""
        out.line(2, f"{title}{plural}:\t{or_none(', '.join(texts))}")
    profile = ((container.get("securityContext") or {}).get("seccompProfile")) or {}
    if profile:
        out.line(2, f"SeccompProfile:\t{profile.get('type')}")
        if profile.get("type") == "Localhost":
            out.line(3, f"LocalhostProfile:\t{profile.get('localhostProfile')}")


def _port(port: Object, number: int, *, named: bool) -> str:
    text = f"{number}/{port.get('protocol', 'TCP')}"
    return f"{text} ({port['name']})" if named and port.get("name") else text


def _lines(out: Writer, title: str, words: Sequence[str] | None) -> None:
    if words:
        out.line(2, f"{title}:")
        for word in words:
            for part in word.split("\n"):
                out.line(3, part)


def _state(out: Writer, title: str, state: Object) -> None:
    if state.get("running"):
        out.line(2, f"{title}:\tRunning")
        out.line(3, f"Started:\t{long_time(state['running'].get('startedAt'))}")
    elif state.get("terminated"):
        ended = state["terminated"]
        out.line(2, f"{title}:\tTerminated")
        if ended.get("reason"):
            out.line(3, f"Reason:\t{ended['reason']}")
        if ended.get("message"):
            out.line(3, f"Message:\t{ended['message']}")
        out.line(3, f"Exit Code:\t{ended.get('exitCode', 0)}")
        if ended.get("signal"):
            out.line(3, f"Signal:\t{ended['signal']}")
        out.line(3, f"Started:\t{long_time(ended.get('startedAt'))}")
        out.line(3, f"Finished:\t{long_time(ended.get('finishedAt'))}")
    else:
        out.line(2, f"{title}:\tWaiting")
        if (state.get("waiting") or {}).get("reason"):
            out.line(3, f"Reason:\t{state['waiting']['reason']}")


def describe_resources(out: Writer, resources: Object, level: int) -> None:
    for title, name in (("Limits", "limits"), ("Requests", "requests")):
        entries = sorted_resources(resources.get(name))
        if entries:
            out.line(level, f"{title}:")
            for key, value in entries:
                out.line(level + 1, f"{key}:\t{value}")


def probe(checked: Object) -> str:
    """A probe on one line: http-get http://:8080/healthz delay=0s timeout=1s period=10s successThreshold=1 failureThreshold=3"""
    attributes = (
        f"delay={checked.get('initialDelaySeconds', 0)}s timeout={checked.get('timeoutSeconds', 0)}s "
        f"period={checked.get('periodSeconds', 0)}s successThreshold={checked.get('successThreshold', 0)} "
        f"failureThreshold={checked.get('failureThreshold', 0)}"
    )
    if checked.get("exec"):
        return f"exec [{' '.join(checked['exec'].get('command') or ())}] {attributes}"
    if checked.get("httpGet"):
        get = checked["httpGet"]
        port = str(get.get("port", ""))
        host = f"{get.get('host', '')}:{port}" if port else get.get("host", "")
        path = get.get("path", "")
        path = path if path.startswith("/") or not path else "/" + path
        return f"http-get {get.get('scheme', 'HTTP').lower()}://{host}{path} {attributes}"
    if checked.get("tcpSocket"):
        return f"tcp-socket {checked['tcpSocket'].get('host', '')}:{checked['tcpSocket'].get('port', '')} {attributes}"
    if checked.get("grpc"):
        return f"grpc <pod>:{checked['grpc'].get('port')} {checked['grpc'].get('service') or ''} {attributes}"
    return f"unknown {attributes}"


def _environment(out: Writer, container: Object, resolve: Resolver) -> None:
    sources = container.get("envFrom") or ()
    if sources:
        out.line(2, "Environment Variables from:")
    for origin in sources:
        kind, reference = ("ConfigMap", origin["configMapRef"]) if origin.get("configMapRef") else ("Secret", origin.get("secretRef") or {})
        prefix = f" with prefix '{origin['prefix']}'" if origin.get("prefix") else ""
        out.line(3, f"{reference.get('name', '')}\t{kind}{prefix}\tOptional: {go_bool(reference.get('optional'))}")
    variables = container.get("env") or ()
    out.line(2, "Environment:" + ("" if variables else "\t<none>"))
    for variable in variables:
        _variable(out, variable, container, resolve)


def _variable(out: Writer, variable: Object, container: Object, resolve: Resolver) -> None:
    name, source = variable["name"], variable.get("valueFrom")
    if not source:
        for number, part in enumerate((variable.get("value") or "").split("\n")):
            out.line(3, f"{name}:\t{part}" if number == 0 else f"\t{part}")
    elif source.get("fieldRef"):
        reference = source["fieldRef"]
        out.line(3, f"{name}:\t{resolve(source, container)} ({reference.get('apiVersion', '')}:{reference['fieldPath']})")
    elif source.get("resourceFieldRef"):
        out.line(
            3,
            f"{name}:\t{_of_resources(source['resourceFieldRef'], container)} ({source['resourceFieldRef']['resource']})",
        )
    elif source.get("secretKeyRef"):
        reference = source["secretKeyRef"]
        text = f"<set to the key '{reference['key']}' in secret '{reference.get('name', '')}'>"
        out.line(3, f"{name}:\t{text}\tOptional: {go_bool(reference.get('optional'))}")
    elif source.get("configMapKeyRef"):
        reference = source["configMapKeyRef"]
        text = f"<set to the key '{reference['key']}' of config map '{reference.get('name', '')}'>"
        out.line(3, f"{name}:\t{text}\tOptional: {go_bool(reference.get('optional'))}")


def _of_resources(reference: Object, container: Object) -> str:
    """What a resourceFieldRef stands for, in units of its divisor, rounded up."""
    table, _, name = reference["resource"].partition(".")
    value = ((container.get("resources") or {}).get(table) or {}).get(name)
    if value is None:
        return "node allocatable" if table == "limits" else "0"
    divisor = quantity.parse(reference.get("divisor") or "1") or 1
    return str(-(-quantity.parse(value) // divisor))


def _mounts(out: Writer, container: Object) -> None:
    mounts = sorted(container.get("volumeMounts") or (), key=lambda mount: str(mount["mountPath"]))
    out.line(2, "Mounts:" + ("" if mounts else "\t<none>"))
    for mount in mounts:
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        out.line(3, f"{mount['mountPath']} from {mount['name']} ({','.join(flags)})")
    devices = sorted(container.get("volumeDevices") or (), key=lambda device: str(device["devicePath"]))
    if devices:
        out.line(2, "Devices:")
        for device in devices:
            out.line(3, f"{device['devicePath']} from {device['name']}")
