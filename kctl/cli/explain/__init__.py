"""kctl explain: the documentation of a kind or one of its fields, from the server's OpenAPI v3."""

from __future__ import annotations

import json
from typing import Any

from kctl.apimachinery.resources import ResourceType
from kctl.cli.command import Command
from kctl.cli.errors import AggregateError, CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.client.discovery import NoResource

EXAMPLES = """
  # Get the documentation of the resource and its fields
  kctl explain pods

  # Get all the fields in the resource
  kctl explain pods --recursive

  # Not deeper than two levels
  kctl explain pods --recursive --max-depth=2

  # Get the documentation of a specific field of a resource
  kctl explain pods.spec.containers
"""


class Explain(Command):
    """Describe fields and structure of various resources.

    Fields are identified by a simple JSONPath: TYPE.fieldName[.fieldName]
    """

    name = "explain"
    usage = "TYPE"
    examples = EXAMPLES

    api_version: str = flag("--api-version", help="Use given api-version (group/version) of the resource.")
    max_depth: int = flag(
        "--max-depth",
        kind="int",
        help="Maximum recursion depth when printing nested fields with --recursive. 0 means no limit. Requires --recursive when greater than 0.",
    )
    recursive: bool = flag(
        "-R",
        "--recursive",
        kind="bool",
        help="When true, print the name of all the fields recursively. Otherwise, print the available fields with their description.",
    )
    output: str = flag(
        "-o",
        "--output",
        default="plaintext",
        help="Format in which to render the schema. Valid values are: (plaintext, plaintext-openapiv2).",
    )

    async def run(self) -> None:
        if not self.arguments:
            raise CommandError(
                'You must specify the type of resource to explain. Use "kctl api-resources" for a complete list of supported resources.'
            )
        if len(self.arguments) > 1:
            raise CommandError("We accept only this format: explain RESOURCE")
        if self.output not in ("plaintext", "plaintext-openapiv2"):
            raise CommandError(f"unrecognized format: {self.output}")
        if self.max_depth < 0:
            raise CommandError("--max-depth must be non-negative")
        if self.max_depth and not self.recursive:
            raise CommandError("--max-depth requires --recursive")
        resource, path = await _resource(self.session, self.arguments[0], self.api_version)
        if self.output == "plaintext-openapiv2":
            from kctl.cli.explain.openapi_v2 import explain_v2

            document = await _fetched(self.session, "/openapi/v2")
            explain_v2(document, resource, path, self.max_depth, self.session.write, recursive=self.recursive)
            return
        from kctl.cli.explain.text import MOST_LEVELS, explain

        document = await _document(self.session, resource)
        depth = (self.max_depth or MOST_LEVELS) if self.recursive else 1
        explain(document, resource, path, depth, self.session.write, recursive=self.recursive)


async def _resource(session: Session, word: str, api_version: str) -> tuple[ResourceType, list[str]]:
    """pods.spec.containers, deployments.apps.spec (the group may follow the name), deployments.v1.apps..."""
    mapper = await session.mapper()
    parts = word.split(".")
    for length in range(len(parts), 0, -1):
        try:
            resource = await mapper.resource(".".join(parts[:length]))
        except NoResource as error:
            if length == 1:
                raise AggregateError([CommandError(str(error))]) from None  # printed as it is, without "error:"
            continue
        if length > 1 and not _names_group(resource, parts[1:length]):
            continue
        if api_version and resource.api_version != api_version:
            resource = await _version(session, resource, api_version)
        return resource, parts[length:]
    raise CommandError(f'the server doesn\'t have a resource type "{word}"')


def _names_group(resource: ResourceType, rest: list[str]) -> bool:
    text = ".".join(rest)
    return text in (resource.group, f"{resource.version}.{resource.group}", resource.version)


async def _version(session: Session, preferred: ResourceType, api_version: str) -> ResourceType:
    for resource in await (await session.mapper()).types():
        if resource.plural == preferred.plural and resource.api_version == api_version:
            return resource
    raise CommandError(f'couldn\'t find resource for "{api_version}, Resource={preferred.plural}"')


async def _document(session: Session, resource: ResourceType) -> dict[str, Any]:
    return await _fetched(session, f"/openapi/v3/{'apis/' + resource.group + '/' if resource.group else 'api/'}{resource.version}")


async def _fetched(session: Session, path: str) -> dict[str, Any]:
    transport = (await session.client()).transport
    response = await transport.raw("GET", path, headers={"Accept": "application/json"})
    if response.status != 200:
        raise CommandError(f"failed to fetch {path}: {response.status}")
    document: dict[str, Any] = json.loads(response.body)
    return document
