"""Stage files: the defaults of simulated containers, by profile (manifests/stages/pod/<profile>/*.yaml).

A stage selects containers and gives them settings; where several match, the first file by name wins for each setting.
Files are read when the first pod needs its profile, so a cluster without pods never loads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources as package_data
from typing import Any

from controllers.kubelet.behaviour import (
    DEFAULT,
    PROFILE,
    Behaviour,
    BehaviourError,
    any_settings,
    settings_of,
    with_settings,
)
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

DEFAULT_PROFILE = "fast"


@dataclass(frozen=True, slots=True)
class Stage:
    """One file. Empty selectors select everything. `containers`: init, sidecar or regular."""

    name: str
    settings: Mapping[str, str]
    containers: tuple[str, ...] = ()
    restart_policies: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def selects(self, pod: Object, kind: str, restart_policy: str) -> bool:
        if self.containers and kind not in self.containers:
            return False
        if self.restart_policies and restart_policy not in self.restart_policies:
            return False
        return self.labels.items() <= objects.labels(pod).items() and (self.annotations.items() <= objects.annotations(pod).items())


def parse_stage(document: Mapping[str, Any]) -> Stage:
    """A Stage object as in the files. Raises BehaviourError."""
    name = str((document.get("metadata") or {}).get("name") or "")
    if document.get("kind") != "Stage" or document.get("apiVersion") != "kctl.dev/v1alpha1":
        raise BehaviourError(f'stage "{name}": want apiVersion kctl.dev/v1alpha1 and kind Stage')
    spec = document.get("spec") or {}
    selector = spec.get("selector") or {}
    unknown = set(selector) - {"containers", "restartPolicies", "matchLabels", "matchAnnotations"}
    if unknown:
        raise BehaviourError(f'stage "{name}": unknown selector "{sorted(unknown)[0]}"')
    settings = {key: str(value) for key, value in (spec.get("settings") or {}).items()}
    with_settings(DEFAULT, settings)  # complain now, not at the first pod
    return Stage(
        name,
        settings,
        tuple(selector.get("containers") or ()),
        tuple(selector.get("restartPolicies") or ()),
        selector.get("matchLabels") or {},
        selector.get("matchAnnotations") or {},
    )


def load_profile(profile: str) -> list[Stage]:
    """The stages of a profile by file name. Raises BehaviourError for a profile that does not exist."""
    import yaml  # not before a pod needs it

    folder = package_data.files("manifests").joinpath("stages", "pod", profile)
    if not profile.isidentifier() or not folder.is_dir():
        raise BehaviourError(f'there is no profile "{profile}"')
    files = sorted((path for path in folder.iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name)
    stages = []
    for file in files:
        for document in yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if document:
                stages.append(parse_stage(document))
    return stages


class Stages:
    """Answers with the Behaviour of a container; pods without annotations share a few values."""

    def __init__(self, default_profile: str = DEFAULT_PROFILE) -> None:
        self._default_profile = default_profile
        self._profiles: dict[str, list[Stage]] = {}
        self._shared: dict[tuple[str, str], Behaviour] = {}

    def behaviour(self, pod: Object, container: str, kind: str, restart_policy: str, defaults: Mapping[str, str]) -> Behaviour:
        """`defaults` are the node's. Raises BehaviourError for an annotation of the pod that cannot be read."""
        annotations = objects.annotations(pod)
        plain = not defaults and (not annotations or not any_settings(annotations))
        if plain:
            shared = self._shared.get((kind, restart_policy))
            if shared is not None:
                return shared
        profile = self._default_profile if plain else annotations.get(PROFILE) or self._default_profile
        stages = self._profiles.get(profile)
        if stages is None:
            stages = self._profiles[profile] = load_profile(profile)
        settings: dict[str, str] = {}
        for stage in stages:
            if stage.selects(pod, kind, restart_policy):
                settings = {**stage.settings, **settings}
        if not plain:
            own = {**defaults, **settings_of(annotations, container)}
            if "oom-after" in own and "run-duration" not in own:
                settings["run-duration"] = "forever"  # it is to end that way, not by the profile's default before
            settings |= own
        made = with_settings(DEFAULT, settings)
        if plain and not any(stage.labels or stage.annotations for stage in stages):
            self._shared[kind, restart_policy] = made
        return made
