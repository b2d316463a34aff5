"""A claim is held to the same rules wherever it stands: by itself, as a pod's ephemeral volume, in a StatefulSet's templates."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.schema import schemas
from tests.kctl.kube_apiserver.registry.corpus import golden
from tests.kctl.kube_apiserver.registry.harness import Harness

CLAIMS = Harness("v1", "PersistentVolumeClaim")
PODS = Harness("v1", "Pod")
STATEFUL_SETS = Harness("apps/v1", "StatefulSet")
DEVICE_CLAIM_TEMPLATES = Harness("resource.k8s.io/v1", "ResourceClaimTemplate")
VALID = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def pod(template: Any) -> dict[str, Any]:
    volume = {"name": "v", "ephemeral": {"volumeClaimTemplate": template}}
    return {"spec": {"containers": [{"name": "c", "image": "nginx"}], "volumes": [volume]}}


def stateful_set(**changes: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    claim = {"metadata": {"name": "v"}, "spec": VALID}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "serviceName": "s", "template": template, "volumeClaimTemplates": [claim]}
    return {"spec": {**spec, **changes}}


def with_claim(spec: Any) -> dict[str, Any]:
    return stateful_set(volumeClaimTemplates=[{"metadata": {"name": "v"}, "spec": spec}])


def update_problems(old: dict[str, Any], **changes: Any) -> list[str]:
    stored = STATEFUL_SETS.create(old)
    return STATEFUL_SETS.update(stored, spec={**stored["spec"], **changes})[1]


def random_claims(count: int) -> list[dict[str, Any]]:
    schema = schemas.load().for_kind("v1", "PersistentVolumeClaim")
    assert schema is not None
    generator = golden.generator_for(CLAIMS.resource)
    made = (schema.decode(generator.object(schema.type_name, f"claim{number}")).object.get("spec") or {} for number in range(count))
    # a source alone becomes both in a claim, once it is accepted; here it stays what it is
    return [spec for spec in made if not spec.get("dataSource") and not spec.get("dataSourceRef")]


def test_random_claims_are_refused_alike() -> None:
    refused = 0
    for spec in random_claims(800):
        expected = CLAIMS.problems({"spec": spec})
        refused += bool(expected)
        in_set = [text for text in STATEFUL_SETS.problems(with_claim(spec)) if text.startswith("spec.volumeClaimTemplates")]
        assert in_set == [text.replace("spec", "spec.volumeClaimTemplates[0].spec", 1) for text in expected], spec
        here = "spec.volumes[0].ephemeral.volumeClaimTemplate.spec"
        in_pod = [text for text in PODS.problems(pod({"spec": spec})) if text.startswith(here)]
        assert in_pod == [text.replace("spec", here, 1) for text in expected], spec
    assert refused > 100


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"volumeAttributesClassName": "-x"}, "volumeAttributesClassName: Invalid value"),
        (
            {"dataSource": {"kind": "PersistentVolumeClaim", "name": "a"}, "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b"}},
            "must match",
        ),
        ({"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b", "namespace": "-"}}, "dataSourceRef.namespace: Invalid value"),
        ({"dataSource": {"apiGroup": "-", "kind": "A", "name": "b"}}, "dataSource.apiGroup: Invalid value"),
        ({"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]}, "may not use ReadWriteOncePod with other access modes"),
        ({"resources": {"requests": {"storage": "0"}}}, "resources[storage]: Invalid value"),
    ],
)
def test_templates_are_checked_as_claims_are(changes: dict[str, Any], expected: str) -> None:
    spec = {**VALID, **changes}
    assert any(expected in text for text in STATEFUL_SETS.problems(with_claim(spec)))
    assert any(expected in text for text in PODS.problems(pod({"spec": spec})))


def test_a_template_has_labels_and_annotations_and_no_other_metadata() -> None:
    meta = {
        "annotations": {"Example.com/A b": "x", "Example.com/A": "y"},
        "labels": {"-": "é"},
        "uid": "u",
        "name": "n",
        "finalizers": ["a/b"],
    }
    path = "spec.volumes[0].ephemeral.volumeClaimTemplate.metadata"
    problems = PODS.problems(pod({"metadata": meta, "spec": VALID}))
    assert [text.partition(": ")[0] for text in problems[:3]] == [f"{path}.annotations", f"{path}.labels", f"{path}.labels"]
    assert problems[3:] == [f"{path}.{name}: Forbidden: cannot be set" for name in ("name", "uID", "finalizers")]
    of_devices = DEVICE_CLAIM_TEMPLATES.problems({"spec": {"metadata": {"name": "n"}, "spec": {}}})
    assert of_devices == ["spec.metadata.name: Forbidden: cannot be set"]


def test_what_was_stored_under_older_rules_does_not_block_a_stateful_set() -> None:
    stored = stateful_set(serviceName="Not_A_Label", volumeClaimTemplates=[{"metadata": {"name": "v"}, "spec": {}}])
    assert any(text.startswith("spec.serviceName: Invalid value") for text in STATEFUL_SETS.problems(stored))
    assert update_problems(stored, replicas=3) == []
    empty = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
    assert update_problems(stateful_set(template=empty), replicas=3) == []
    assert any("spec.template.spec.containers" in text for text in update_problems(stateful_set(), template=empty))


def test_warnings_of_a_stateful_sets_claims_and_history() -> None:
    fraction = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100m"}}}
    obj = {"spec": {**with_claim(fraction)["spec"], "revisionHistoryLimit": -1}}
    assert STATEFUL_SETS.problems(obj) == []
    made, context = STATEFUL_SETS.create(obj), STATEFUL_SETS.context()
    claim = '{}.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer'
    keeps = "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
    assert STATEFUL_SETS.strategy.warnings_on_create(context, made) == [claim.format("spec.volumeClaimTemplates[0]"), keeps]
    assert STATEFUL_SETS.strategy.warnings_on_update(context, made, made) == [claim.format("spec.volumeClaimTemplates[0].Spec"), keeps]
