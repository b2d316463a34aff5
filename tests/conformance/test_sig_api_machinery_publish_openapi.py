"""The official conformance tests of what custom resources are in /openapi/v2, and of what the real kubectl makes of it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from kctl.apimachinery.user import ADMIN
from tests.conformance.api import Api, api
from tests.conformance.custom_resources import ALLOW_ALL, DEFINITIONS, define, definition, undefine, until, version
from tests.e2e.differential import kubectl_binary
from tests.kctl.kube_apiserver.admission.webhook_server import tls

pytestmark = pytest.mark.kubectl
Schema = dict[str, Any]


def text(description: str, **more: Any) -> Schema:
    return {"description": description, "type": "string", **more}


def fields(description: str = "", **properties: Any) -> Schema:
    told = {"description": description} if description else {}
    return {**told, "type": "object", "properties": properties}


def items(description: str, of: Schema) -> Schema:
    return {"description": description, "type": "array", "items": of}


BAR = fields(
    name=text("Name of Bar."),
    age=text("Age of Bar."),
    feeling=text("Whether Bar is feeling great.", enum=["Great", "Down"]),
    bazs=items("List of Bazs.", {"type": "string"}),
)
BAR_STATUS = fields(
    name=text("Name of Bar."),
    available={"description": "Whether the Bar is installed.", "type": "boolean"},
    quxType=text("Indicates to external qux type.", pattern="in-tree|out-of-tree"),
)
FOO = fields(
    "Foo CRD for Testing",
    spec=fields("Specification of Foo", bars=items("List of Bars and their specs.", {**BAR, "required": ["name"]})),
    status=fields("Status of Foo", bars=items("List of Bars and their statuses.", BAR_STATUS)),
)
DUMMY = {"description": "Dummy property.", "type": "object"}
WALDO = fields(
    "Waldo CRD for Testing",
    spec=fields("Specification of Waldo", dummy=DUMMY),
    status=fields("Status of Waldo", bars=items("List of Bars and their statuses.", {"type": "object"})),
)
OPEN = {"x-kubernetes-preserve-unknown-fields": True}
OPEN_ROOT = {**WALDO, **OPEN, "description": "preserve-unknown-properties at root for Testing"}
OPEN_NESTED = fields(
    "preserve-unknown-properties in nested field for Testing",
    spec={**fields("Specification of Waldo", dummy=DUMMY), **OPEN},
    status=fields("Status of Waldo", bars=items("List of Bars and their statuses.", {"type": "object"})),
)


class Published:
    """An API server and kubectl; definitions come and go as the official tests make them."""

    def __init__(self, made: Api, port: int, home: Path) -> None:
        self.made = made
        server = f"--server=https://127.0.0.1:{port}"
        self._words = (kubectl_binary(), server, "--insecure-skip-tls-verify", "--token=admin", "--namespace=default")
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(home / "none")}
        self._tag = ""

    async def kubectl(self, *words: str, stdin: Any = None) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._words, *words, env=self._environment, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate(orjson.dumps(stdin) if stdin is not None else b"")
        return process.returncode or 0, out.decode()

    async def does(self, *words: str, stdin: Any = None) -> str:
        code, out = await self.kubectl(*words, stdin=stdin)
        assert code == 0, out
        return out

    async def definitions(self) -> dict[str, Any]:
        """Of the document, which is asked for by its tag."""
        headers = {"Accept": "application/json", **({"If-None-Match": self._tag} if self._tag else {})}
        answer = await self.made.server.handle_raw("GET", "/openapi/v2", {}, None, headers, ADMIN)
        if answer.status == 200:
            self._tag = answer.headers["ETag"]
            self._definitions = orjson.loads(answer.body)["definitions"]
        else:
            assert answer.status == 304
        found: dict[str, Any] = self._definitions
        return found

    async def define(self, schema: Schema, suffix: str, *versions: str, plural: str = "e2e-tests", expected: Any = ...) -> Any:
        made = [version(name, schema, storage=number == 0) for number, name in enumerate(versions)]
        obj = definition(*made, plural=plural, group=f"crd-publish-openapi-test-{suffix}.example.com", scope="Namespaced")
        await define(self.made, obj)
        for name in versions:
            await self.shows(obj, name, schema if expected is ... else expected)
        return obj

    async def undefine(self, obj: Any) -> None:
        await undefine(self.made, obj)
        for each in obj["spec"]["versions"]:
            await self.lacks(obj, each["name"])

    async def shows(self, obj: Any, version_name: str, schema: Any) -> None:
        """Until the document has the schema of a version; `schema` None: any."""

        async def shown() -> bool:
            found = (await self.definitions()).get(name_of(obj, version_name))
            return found is not None and (schema is None or without_what_all_have(found) == schema)

        await until(shown)

    async def lacks(self, obj: Any, version_name: str) -> None:
        async def lacking() -> bool:
            return name_of(obj, version_name) not in await self.definitions()

        await until(lacking)

    async def create_and_apply(self, obj: Any, **parts: Any) -> None:
        """Each makes an object of the kind, which is deleted again."""
        for verb in ("create", "apply"):
            await self.does(verb, "-f", "-", stdin=self.object(obj, **parts))
            await self.does("delete", obj["spec"]["names"]["plural"], "test-cr")

    def object(self, obj: Any, **parts: Any) -> Any:
        spec = obj["spec"]
        kind, api_version = spec["names"]["kind"], f"{spec['group']}/{spec['versions'][0]['name']}"
        return {"kind": kind, "apiVersion": api_version, "metadata": {"name": "test-cr"}, **parts}

    async def explains(self, obj: Any, path: str, pattern: str) -> None:
        out = await self.does("explain", obj["spec"]["names"]["plural"] + path)
        assert re.search(f"(?s){pattern}", out), out


def name_of(obj: Any, version_name: str) -> str:
    group = ".".join(reversed(obj["spec"]["group"].split(".")))
    return f"{group}.{version_name}.{obj['spec']['names']['kind']}"


def without_what_all_have(schema: Any) -> Any:
    rest = {key: value for key, value in schema.items() if key != "x-kubernetes-group-version-kind"}
    properties = {key: value for key, value in schema.get("properties", {}).items() if key not in ("metadata", "apiVersion", "kind")}
    return {**{key: value for key, value in rest.items() if key != "properties"}, **({"properties": properties} if properties else {})}


@asynccontextmanager
async def publishing(tmp_path: Path) -> AsyncIterator[Published]:
    context, _ = tls()
    async with api(tokens={"admin": ADMIN}) as made:
        yield Published(made, await made.server.serve("127.0.0.1", 0, context), tmp_path)


async def test_a_schema_that_validates(tmp_path: Path) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD with validation schema [Conformance]"""
    async with publishing(tmp_path) as published:
        obj = await published.define(FOO, "foo", "v1")
        await published.create_and_apply(obj, spec={"bars": [{"name": "test-bar"}]})
        refusals = [
            ({"bars": [{"name": "test-bar", "feeling": "NonExistentValue"}]}, 'Unsupported value: "NonExistentValue"'),
            ({"foo": True}, 'unknown field "spec.foo"'),
            ({"bars": [{"age": "10"}]}, "spec.bars[0].name: Required value"),
        ]
        for spec, why in refusals:
            for verb in ("create", "apply"):
                code, out = await published.kubectl(verb, "-f", "-", stdin=published.object(obj, spec=spec))
                assert code == 1 and why in out
        top = "DESCRIPTION:.*Foo CRD for Testing.*FIELDS:.*apiVersion.*<string>.*APIVersion defines.*spec.*<Object>.*Specification of Foo"
        await published.explains(obj, "", top)
        meta = "DESCRIPTION:.*Standard object's metadata.*FIELDS:.*creationTimestamp.*<string>.*CreationTimestamp is a timestamp"
        await published.explains(obj, ".metadata", meta)
        await published.explains(
            obj, ".spec", r"DESCRIPTION:.*Specification of Foo.*FIELDS:.*bars.*<\[\]Object>.*List of Bars and their specs"
        )
        bars = r"bars.*<\[\]Object>.*List of Bars and their specs.*FIELDS:.*bazs.*<\[\]string>.*List of Bazs.*name.*<string>.*Name of Bar"
        await published.explains(obj, ".spec.bars", f"(FIELD|RESOURCE):.*{bars}")
        code, out = await published.kubectl("explain", "e2e-tests.spec.bars2")
        assert code == 1 and 'field "bars2" does not exist' in out
        await published.undefine(obj)


async def test_no_schema(tmp_path: Path) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD without validation schema [Conformance]"""
    async with publishing(tmp_path) as published:
        obj = await published.define(ALLOW_ALL, "empty", "v1", expected={"type": "object"})
        await published.create_and_apply(obj, a={"b": [{"c": "d"}]})
        await published.explains(obj, "", "DESCRIPTION:.*<empty>")
        await published.undefine(obj)


async def test_unknown_fields_at_the_root(tmp_path: Path) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields at the schema
    root [Conformance]"""
    async with publishing(tmp_path) as published:
        obj = await published.define(OPEN_ROOT, "unknown-at-root", "v1", expected=None)
        await published.create_and_apply(obj, a={"b": [{"c": "d"}]})
        await published.explains(obj, "", f"KIND:.*{obj['spec']['names']['kind']}")
        await published.undefine(obj)


async def test_unknown_fields_in_an_embedded_object(tmp_path: Path) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for CRD preserving unknown fields in an embedded
    object [Conformance]"""
    async with publishing(tmp_path) as published:
        obj = await published.define(OPEN_NESTED, "unknown-in-nested", "v1", expected=None)
        await published.create_and_apply(obj, spec={"a": None, "b": [{"c": "d"}]})
        await published.explains(obj, "", "DESCRIPTION:.*preserve-unknown-properties in nested field for Testing")
        await published.undefine(obj)


PAIRS = {
    "different groups": (("foo", "v1"), ("waldo", "v1beta1")),
    "one group, two versions": (("common-group", "v4"), ("common-group", "v5")),
    "one version, two kinds": (("common-group", "v6"), ("common-group", "v6")),
}


@pytest.mark.parametrize("how", PAIRS)
async def test_two_definitions(tmp_path: Path, how: str) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of different groups
    [Conformance]
    [sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group but different
    versions [Conformance]
    [sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] works for multiple CRDs of same group and version but
    different kinds [Conformance]"""
    async with publishing(tmp_path) as published:
        if how == "one group, two versions":
            both = await published.define(FOO, "multi-ver", "v2", "v3")
            await published.undefine(both)
        (suffix, name), (other_suffix, other_name) = PAIRS[how]
        foo = await published.define(FOO, suffix, name, plural="foos")
        waldo = await published.define(WALDO, other_suffix, other_name, plural="waldos")
        await published.shows(foo, name, FOO)
        await published.shows(waldo, other_name, WALDO)
        await published.undefine(foo)
        await published.shows(waldo, other_name, WALDO)
        await published.undefine(waldo)


async def test_a_version_is_renamed(tmp_path: Path) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] updates the published spec when one version gets renamed
    [Conformance]"""
    async with publishing(tmp_path) as published:
        obj = await published.define(FOO, "multi-ver", "v2", "v3")
        path = "/spec/versions/1/name"
        operations = {"op": "test", "path": path, "value": "v3"}, {"op": "replace", "path": path, "value": "v4"}
        await published.made.json_patch(f"{DEFINITIONS}/{obj['metadata']['name']}", *operations)
        await published.shows(obj, "v4", FOO)
        await published.lacks(obj, "v3")
        await published.shows(obj, "v2", FOO)
        obj["spec"]["versions"][1]["name"] = "v4"
        await published.undefine(obj)


async def test_a_version_is_no_longer_served(tmp_path: Path) -> None:
    """[sig-api-machinery] CustomResourcePublishOpenAPI [Privileged:ClusterAdmin] removes definition from spec when one version gets
    changed to not be served [Conformance]"""
    async with publishing(tmp_path) as published:
        obj = await published.define(FOO, "multi-to-single-ver", "v5", "v6alpha1")
        present = await published.made.get(f"{DEFINITIONS}/{obj['metadata']['name']}")
        present["spec"]["versions"][1]["served"] = False
        await published.made.update(f"{DEFINITIONS}/{obj['metadata']['name']}", present)
        await published.lacks(obj, "v6alpha1")
        await published.shows(obj, "v5", FOO)
        await published.undefine(obj)
