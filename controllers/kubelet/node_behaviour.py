"""How a simulated node behaves, as data: annotations `kctl.dev/...` on the Node, and what of them and of a pod's nobody understands.

`kctl.dev/kubelet` is the state of the node's agent. Every setting of a pod (behaviour.py) is known here too: on a Node it is the default
of the pods that run there, over the stage files and under the pods' own annotations; so a slow node is one with a `start-delay`.
docs/simulated-nodes.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controllers.kubelet.behaviour import PREFIX, PROFILE, SETTINGS, BehaviourError, parse_setting
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

KUBELET = "kctl.dev/kubelet"
SIMULATED = "kctl.dev/simulated"
PRESSURE = "kctl.dev/pressure"
PRESSURES = ("memory", "disk", "pid")
RUNNING, STOPPED, NOT_READY = "running", "stopped", "not-ready"
STATES = {
    RUNNING: "as it should be",
    STOPPED: "dead, or cut off from the API server: no heartbeat, nothing is started, stopped or reported; its containers go on",
    NOT_READY: "its container runtime is down: it reports NotReady, and starts and stops nothing",
}


def kubelet_state(node: Object) -> str:
    """`running` where the annotation is missing or cannot be read."""
    state = objects.annotations(node).get(KUBELET, RUNNING)
    return state if state in STATES else RUNNING


def pressures(node: Object) -> tuple[str, ...]:
    """What runs out on the node; nothing where the annotation is missing or cannot be read."""
    wanted = [word.strip() for word in objects.annotations(node).get(PRESSURE, "").split(",")]
    return tuple(kind for kind in PRESSURES if kind in wanted) if all(word in PRESSURES for word in wanted) else ()


def pod_defaults(node: Object) -> dict[str, str]:
    """The settings the node gives to its pods; those that cannot be read are left out (`problems` names them)."""
    defaults: dict[str, str] = {}
    for key, value in objects.annotations(node).items():
        setting = key.removeprefix(PREFIX)
        if key != setting and setting in SETTINGS and not _problem(setting, value):
            defaults[setting] = value
    return defaults


def node_problems(annotations: Mapping[str, str]) -> list[str]:
    """What is wrong with the kctl.dev annotations of a Node, one line each that names the annotation."""
    texts = []
    for key, value in _ours(annotations):
        if key == KUBELET:
            problem = "" if value in STATES else f'"{value}" is none of {", ".join(STATES)}'
        elif key == PRESSURE:
            unknown = [word.strip() for word in value.split(",") if word.strip() not in PRESSURES]
            problem = f'"{unknown[0]}" is none of {", ".join(PRESSURES)}' if unknown else ""
        elif key == SIMULATED:
            problem = "" if value in ("true", "false") else f'"{value}" is neither true nor false'
        else:
            setting = key[len(PREFIX) :]
            problem = _problem(setting, value) if setting in SETTINGS else "no such annotation of simulated nodes or setting of their pods"
        if problem:
            texts.append(_line(key, f"{problem}; it is ignored"))
    return texts


def pod_problems(annotations: Mapping[str, str], containers: Iterable[str]) -> list[str]:
    """What is wrong with the kctl.dev annotations of a pod or of a template of pods. (A container with a setting that cannot be read is
    not created.)"""
    names = tuple(containers)
    texts = []
    for key, value in _ours(annotations):
        if key == PROFILE:
            problem = _profile_problem(value)
        else:
            setting = key[len(PREFIX) :]
            name, dot, own = setting.partition(".")
            if setting in SETTINGS:
                problem = _problem(setting, value)
            elif dot and own in SETTINGS and name not in names:
                problem = f'the pod has no container "{name}"; it is ignored'
            elif dot and own in SETTINGS:
                problem = _problem(own, value)
            else:
                problem = "no such setting of simulated pods; it is ignored"
        if problem:
            texts.append(_line(key, problem))
    return texts


def _ours(annotations: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted((key, str(value)) for key, value in annotations.items() if key.startswith(PREFIX))


def _problem(setting: str, value: str) -> str:
    try:
        parse_setting(setting, value)
    except BehaviourError as error:
        return str(error).removeprefix(f"{setting}: ")
    return ""


def _profile_problem(profile: str) -> str:
    from controllers.kubelet.stages import load_profile

    try:
        load_profile(profile)
    except BehaviourError as error:
        return str(error)
    return ""


def _line(key: str, problem: str) -> str:
    return f"metadata.annotations[{key}]: {problem}"


def container_names(pod_spec: Object) -> list[str]:
    return [str(container.get("name")) for field in ("initContainers", "containers") for container in pod_spec.get(field) or ()]
