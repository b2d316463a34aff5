"""The pods a Job makes out of its template. Pure.

Pods of a Job without indexes share one body; the pods of indexes differ in a label, an annotation or two and the hostname.
"""

from __future__ import annotations

from controllers.kube_controller_manager.job import rules
from controllers.runtime.pod_control import pod_from_template
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_ENVIRONMENT = "JOB_COMPLETION_INDEX"
_FIELD = {"fieldRef": {"fieldPath": f"metadata.labels['{rules.INDEX}']"}}
_LONGEST_GENERATED = 58


def plain(job: Object) -> Object:
    return _tracked(pod_from_template(objects.spec(job)["template"], job))


def _tracked(pod: Object) -> Object:
    finalizers = objects.finalizers(pod)
    return pod if rules.FINALIZER in finalizers else objects.with_metadata(pod, finalizers=[*finalizers, rules.FINALIZER])


def with_index_variable(template: Object) -> Object:
    """Every container is told its index, unless it says otherwise itself."""
    spec = dict(template["spec"])
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_with_variable(container) for container in spec[field]]
    return {**template, "spec": spec}


def _with_variable(container: Object) -> Object:
    env = container.get("env") or []
    if any(variable["name"] == _ENVIRONMENT for variable in env):
        return container
    return {**container, "env": [*env, {"name": _ENVIRONMENT, "valueFrom": _FIELD}]}


def for_index(job: Object, template: Object, index: int, replaced: Object | None) -> Object:
    """`template` is `with_index_variable`'s; `replaced` the index's last failed pod."""
    pod = _tracked(pod_from_template(template, job, generate_name=_generate_name(objects.name(job), index)))
    annotations = {**objects.annotations(pod), rules.INDEX: str(index)}
    if rules.has_limit_per_index(job):
        annotations |= _failure_counts(job, replaced)
    pod = objects.with_metadata(pod, labels={**objects.labels(pod), rules.INDEX: str(index)}, annotations=annotations)
    return {**pod, "spec": {**pod["spec"], "hostname": f"{objects.name(job)}-{index}"}}


def _generate_name(job: str, index: int) -> str:
    suffix = f"-{index}-"
    return job[: _LONGEST_GENERATED - len(suffix)] + suffix


def _failure_counts(job: Object, replaced: Object | None) -> dict[str, str]:
    if replaced is None:
        return {rules.FAILURES: "0"}
    counts = rules.judge(job, replaced).counts
    ignored = rules.ignored_failures_of(replaced) + (not counts)
    annotations = {rules.FAILURES: str(rules.failures_of(replaced) + counts)}
    return {**annotations, rules.IGNORED_FAILURES: str(ignored)} if ignored else annotations
