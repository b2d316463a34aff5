"""Decoding an object as Go's JSON round trip does: what is kept, dropped, added, refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.resources import PODS, ResourceTable, ResourceType, built_in
from kctl.apimachinery.schema import build_hook, bundle, schemas
from kctl.apimachinery.schema.schemas import DecodeError

SCHEMAS = schemas.load()


def decode(api_version: str, kind: str, obj: dict[str, Any]) -> schemas.Decoded:
    schema = SCHEMAS.for_kind(api_version, kind)
    assert schema is not None
    return schema.decode(obj)


def spec_of(kind: str, spec: dict[str, Any]) -> Any:
    return decode({"Pod": "v1", "Deployment": "apps/v1", "Job": "batch/v1"}[kind], kind, {"spec": spec}).object["spec"]


def test_structs_held_by_value_are_always_there() -> None:
    decoded = decode("apps/v1", "Deployment", {"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}).object
    assert decoded == {
        "metadata": {},
        "spec": {
            "template": {"metadata": {}, "spec": {"containers": [{"name": "c", "resources": {}}]}},
            "strategy": {},
        },
        "status": {},
    }


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("Pod", {"hostNetwork": False, "priority": 0, "hostname": "", "nodeSelector": {}, "tolerations": []}, {"priority": 0}),
        (
            "Pod",
            {"automountServiceAccountToken": False, "runtimeClassName": ""},
            {"automountServiceAccountToken": False, "runtimeClassName": ""},
        ),
        ("Pod", {"affinity": {}, "securityContext": None}, {"affinity": {}}),
        ("Pod", {"volumes": [{"name": "v", "emptyDir": {}}]}, {"volumes": [{"name": "v", "emptyDir": {}}]}),
        ("Deployment", {"replicas": 0, "minReadySeconds": 0, "paused": False}, {"replicas": 0}),
        ("Job", {"suspend": False, "parallelism": 0}, {"suspend": False, "parallelism": 0}),
    ],
    ids=["zeros", "pointers", "empty-struct-pointer", "volume", "deployment", "job"],
)
def test_zero_values(kind: str, given: dict[str, Any], kept: dict[str, Any]) -> None:
    added = {"Pod": {"containers"}, "Deployment": {"template", "strategy"}, "Job": {"template"}}[kind]
    spec = spec_of(kind, given)
    assert {key: value for key, value in spec.items() if key not in added} == kept


def test_input_is_not_changed_and_not_shared() -> None:
    given = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}
    before = copy.deepcopy(given)
    decoded = decode("v1", "Pod", given).object
    decoded["metadata"]["labels"]["x"] = "y"
    decoded["spec"]["containers"][0]["image"] = "i"
    assert given == before


@pytest.mark.parametrize(
    ("given", "text"),
    [("0.1", "100m"), (1, "1"), ("1024Mi", "1Gi"), (1.5, "1500m"), ("1e3", "1e3"), ("0", "0")],
)
def test_quantities_are_canonical(given: Any, text: str) -> None:
    container = {"name": "c", "resources": {"limits": {"cpu": given}}}
    assert spec_of("Pod", {"containers": [container]})["containers"][0]["resources"] == {"limits": {"cpu": text}}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.678Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05+02:00", "2020-01-02T01:04:05Z"),
    ],
)
def test_times_are_whole_seconds_utc(given: str, text: str) -> None:
    assert decode("v1", "Pod", {"metadata": {"creationTimestamp": given}}).object["metadata"] == {"creationTimestamp": text}


def test_unknown_fields_are_dropped_and_listed_in_document_order() -> None:
    given = {
        "bogusTop": 1,
        "spec": {"containers": [{"name": "a"}, {"name": "c", "foo": 1}], "bogus": {"x": 1}},
        "metadata": {"Labels": {}},
    }
    decoded = decode("v1", "Pod", given)
    assert decoded.unknown_fields == ["bogusTop", "spec.containers[1].foo", "spec.bogus", "metadata.Labels"]
    assert decoded.object["spec"] == {"containers": [{"name": "a", "resources": {}}, {"name": "c", "resources": {}}]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"spec": {"nodeName": 5}}, "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeName of type string"),
        ({"spec": []}, "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
        (
            {"spec": {"containers": ["x"]}},
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        ({"spec": {"priority": True}}, "json: cannot unmarshal bool into Go struct field PodSpec.spec.priority of type int32"),
        (
            {"spec": {"priority": 2**31}},
            "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        ({"spec": {"hostNetwork": "yes"}}, "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"),
        (
            {"spec": {"restartPolicy": 1}},
            "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        ({"metadata": {"creationTimestamp": "soon"}}, 'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"'),
        (
            {"spec": {"overhead": {"cpu": "a"}}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ],
)
def test_wrong_types_are_refused_in_gos_words(given: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode("v1", "Pod", given)
    assert caught.value.message == message


@pytest.mark.parametrize(("text", "offset"), [("!", 0), ("eA=", 3), ("eA", 0), ("eHh4eA", 4), ("eHg*", 3), ("eA==x", 4)])
def test_base64(text: str, offset: int) -> None:
    with pytest.raises(DecodeError, match=f"illegal base64 data at input byte {offset}$"):
        decode("v1", "Secret", {"data": {"k": text}})


def test_null_means_absent_and_empty_inside_collections() -> None:
    assert decode("v1", "ConfigMap", {"data": {"a": None}, "metadata": None}).object == {
        "metadata": {},
        "data": {"a": ""},
    }


def test_custom_resources_keep_everything_but_metadata_is_checked() -> None:
    custom = ResourceType("example.com", "v1", "Widget", "widgets", True, "widget")
    schema = SCHEMAS.for_resource(custom)
    given = {
        "kind": "Widget",
        "apiVersion": "example.com/v1",
        "metadata": {"name": "a", "bogus": 1},
        "spec": {"x": [None, ""]},
    }
    decoded = schema.decode(given)
    assert decoded.object == {**given, "metadata": {"name": "a"}}
    assert decoded.unknown_fields == ["metadata.bogus"]
    with pytest.raises(DecodeError, match=r"Go struct field ObjectMeta\.labels of type string"):
        schema.decode({"metadata": {"labels": {"a": 1}}})


@pytest.mark.parametrize(
    ("resource", "subresource", "kind"),
    [
        (built_in("apps/v1", "Deployment"), "", "Deployment"),
        (built_in("apps/v1", "Deployment"), "scale", "Scale"),
        (built_in("apps/v1", "Deployment"), "status", "Deployment"),
        (PODS, "eviction", "Eviction"),
        (PODS, "binding", "Binding"),
        (built_in("v1", "ServiceAccount"), "token", "TokenRequest"),
    ],
)
def test_schemas_of_subresources(resource: ResourceType, subresource: str, kind: str) -> None:
    assert SCHEMAS.for_resource(resource, subresource).kind == kind


def test_every_served_kind_has_a_schema_that_decodes_nothing_into_itself() -> None:
    for entry in ResourceTable():
        schema = SCHEMAS.for_kind(entry.api_version, entry.kind)
        assert schema is not None, entry
        once = schema.decode({}).object
        assert schema.decode(once).object == once, entry


def test_delete_options_of_any_group() -> None:
    schema = SCHEMAS.for_kind("apps/v1", "DeleteOptions")
    assert schema is not None
    assert schema.decode({"gracePeriodSeconds": 0}).object == {"gracePeriodSeconds": 0}


def test_messages() -> None:
    problems = [schemas.unknown_field("spec.x"), schemas.duplicate_field("kind")]
    assert schemas.strict_error("Deployment", "apps/v1", problems) == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.x", duplicate field "kind"'
    )


def test_bundles_are_built_from_the_published_schemas(tmp_path: Path) -> None:
    pytest.importorskip("kubernetes_validate")
    build_hook.write(tmp_path)
    types = bundle.Bundle((tmp_path / "types.bundle").read_bytes())
    assert types.header["kinds"]["v1/Pod"] == "io.k8s.api.core.v1.Pod"
    assert (tmp_path / "types.bundle").stat().st_size < 100_000
    texts = bundle.Bundle((tmp_path / "descriptions.bundle").read_bytes())
    assert "containers" in json.dumps(texts.entry("io.k8s.api.core.v1.PodSpec"))


def test_every_type_referred_to_is_in_the_bundle() -> None:
    types = bundle.types()
    for name in types.names():
        for row in types.entry(name):
            code = row[1].lstrip("[{")
            assert not code.startswith("@") or code[1:] in types, (name, row)


def test_missing_bundle_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise ImportError

    monkeypatch.setattr(build_hook, "write", absent)
    with pytest.raises(bundle.BundleMissing, match="reinstall kctl"):
        bundle._build()
