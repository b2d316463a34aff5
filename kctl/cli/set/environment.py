"""kctl set env: the environment variables of the containers of a pod template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, SECRETS
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.errors import CommandError, plain
from kctl.cli.flags import flag
from kctl.cli.results import Results
from kctl.cli.set.changing import Changing, wildcard
from kctl.cli.set.pod_specs import pod_spec, with_pod_spec
from kctl.cli.set.references import Values, describe
from kctl.cli.targets import Target, fetch

_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_NAME_RULE = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit "
    "(e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
)
Variable = dict[str, Any]


class SetEnv(Changing):
    """Update environment variables of pod templates, or list them.

    KEY=VALUE sets one, KEY- takes it away; --from takes them from a config map or secret, by reference. `-e -` reads KEY=VALUE lines from
    standard input.
    """

    name = "env"
    usage = "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N"
    examples = """
  # Set a variable in deployment 'registry'
  kctl set env deployment/registry STORAGE_DIR=/local

  # What is set in a deployment, and in all pods
  kctl set env deployment/sample-build --list
  kctl set env pods --all --list

  # Show the deployment as it would be, and change nothing
  kctl set env deployment/sample-build STORAGE_DIR=/data -o yaml --dry-run=client

  # Everything of a secret; of a config map with a prefix; one key of it
  kctl set env --from=secret/mysecret deployment/myapp
  kctl set env --from=configmap/myconfigmap --prefix=MYSQL_ deployment/myapp
  kctl set env --keys=my-example-key --from=configmap/myconfigmap deployment/myapp

  # Take a variable away from container 'c1' of all deployments
  kctl set env deployments --all --containers="c1" ENV-

  # Part of this shell's environment
  env | grep RAILS_ | kctl set env -e - deployment/registry
"""
    done = "env updated"
    failure = "failed to patch env update to pod template"

    containers: str = flag(
        "-c",
        "--containers",
        default="*",
        help="The names of containers in the selected pod templates to change - may use wildcards",
    )
    env: Sequence[str] = flag(
        "-e", "--env", kind="array", help="Specify a key-value pair for an environment variable to set into each container."
    )
    source: str = flag("--from", help="The name of a resource from which to inject environment variables")
    keys: Sequence[str] = flag("--keys", kind="slice", help="Comma-separated list of keys to import from specified resource")
    list_only: bool = flag(
        "--list",
        kind="bool",
        help="If true, display the environment and any changes in the standard format. this flag will removed when we have kubectl view env.",
    )
    overwrite: bool = flag(
        "--overwrite",
        kind="bool",
        default=True,
        help="If true, allow environment to be overwritten, otherwise reject updates that overwrite existing environment.",
    )
    prefix: str = flag("--prefix", help="Prefix to append to variable names")
    resolve: bool = flag("--resolve", kind="bool", help="If true, show secret or configmap references when listing variables")
    selector: str = options.selector()

    def complete(self) -> None:
        places = [index for index, word in enumerate(self.arguments) if _is_change(word)]
        first = places[0] if places else len(self.arguments)
        if len(places) < len(self.arguments) - first:
            raise CommandError(f"all resources must be specified before environment changes: {' '.join(self.arguments)}")
        self.resources = self.arguments[:first]
        self._changes = [*self.arguments[first:], *self.env]

    def validate(self) -> None:
        if self.all and self.selector:
            raise CommandError("cannot set --all and --selector at the same time")
        if not self.resources and not self.filename and not self.kustomize:
            raise CommandError("one or more resources must be specified as <resource> <name> or <resource>/<name>")
        if self.list_only and self.output:
            raise CommandError("--list and --output may not be specified together")
        if self.keys and not self.source:
            raise CommandError("when specifying --keys, a configmap or secret must be provided with --from")
        self._set, self._removed = self._parsed()

    def _parsed(self) -> tuple[list[Variable], set[str]]:
        words = [line for word in self._changes for line in (self._lines() if word == "-" else [word])]
        variables: list[Variable] = []
        removed: set[str] = set()
        for word in words:
            name, equals, value = word.partition("=")
            if not equals:
                if not word.endswith("-"):
                    raise CommandError(f"unknown environment variable: {word}")
                removed.add(word[:-1])
                continue
            if _NAME.fullmatch(name) is None:
                raise CommandError(f'"{name}" is not a valid key name: {_NAME_RULE}')
            variables.append({"name": name, "value": value} if value else {"name": name})
        if removed & {variable["name"] for variable in variables}:
            raise CommandError("can not both modify and remove the same environment variable in the same command")
        return variables, removed

    def _lines(self) -> list[str]:
        lines = (line.strip() for line in self.session.streams.input.read().splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    async def look_first(self) -> None:
        client = None if self.local else await self.session.client()
        self._values = Values(client)
        if self.source:
            self._set += await self._imported()
        if self.prefix:
            self._set = [{**variable, "name": self.prefix + variable["name"]} for variable in self._set]

    async def _imported(self) -> list[Variable]:
        """References to the keys of the config map or secret that --from names."""
        builder = Builder(self.session)
        variables: list[Variable] = []
        for selection in await builder.selections([self.source], allow_collection=False):
            kinds = {CONFIG_MAPS.group_resource: "configMapKeyRef", SECRETS.group_resource: "secretKeyRef"}
            kind = kinds.get(selection.resource.group_resource)
            [source] = await fetch(builder, selection)
            if kind is None:
                raise CommandError("unsupported resource specified in --from")
            for key in sorted(source.object.get("data") or {}):
                if self.keys and key not in self.keys:
                    continue
                name = re.sub(r"[^a-zA-Z0-9_]", "_", key).upper()
                if name != key:
                    self.session.error(f"Warning: key {key} transferred to {name}")
                variables.append({"name": name, "valueFrom": {kind: {"name": source.name, "key": key}}})
        return variables

    async def change(self, target: Target, results: Results) -> None:
        if self.list_only:
            await self._list(target)
        elif not self._chosen(pod_spec(target.resource, target.object)):
            self._warn(target)
        else:
            await super().change(target, results)

    def changed_object(self, target: Target) -> Object:
        spec = pod_spec(target.resource, target.object)
        changed = dict(spec)
        for field in ("containers", "initContainers"):
            if field in spec:
                changed[field] = [self._changed(target, each) for each in spec[field]]
        return with_pod_spec(target.resource, target.object, changed)

    def _chosen(self, spec: Object) -> list[dict[str, Any]]:
        every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        return [container for container in every if wildcard(self.containers, container["name"])]

    def _changed(self, target: Target, container: dict[str, Any]) -> dict[str, Any]:
        if not wildcard(self.containers, container["name"]) or not (self._set or self._removed):
            return container
        before = container.get("env") or []
        if not self.overwrite:
            self._refuse_overwriting(target, before)
        after = _merged(before, self._set, self._removed)
        if after == before:
            return container
        return {**container, "env": after} if after else {key: value for key, value in container.items() if key != "env"}

    def _refuse_overwriting(self, target: Target, before: Iterable[Variable]) -> None:
        present = {variable["name"]: variable.get("value", "") for variable in before}
        for variable in self._set:
            name = variable["name"]
            if name in present:
                where = f"{target.resource.plural}/{target.name}"
                raise CommandError(f"{where} '{name}' already has a value ({present[name]}), and --overwrite is false")

    def _warn(self, target: Target) -> None:
        self.session.error(f'Warning: {target.resource.kind}/{target.name} does not have any containers matching "{self.containers}"')

    async def _list(self, target: Target) -> None:
        containers = self._chosen(pod_spec(target.resource, self.changed_object(target)))
        if not containers:
            self._warn(target)
        for container in containers:
            self.session.print(f"# {target.resource.kind} {target.name}, container {container['name']}")
            problems: list[str] = []
            for variable in container.get("env") or ():
                name, source = variable["name"], variable.get("valueFrom")
                if source is None:
                    self.session.print(f"{name}={variable.get('value', '')}")
                    continue
                shown = f"# {name} from {describe(source)}"
                if self.resolve:
                    try:
                        shown = f"{name}={await self._values.of(source, target.object, container)}"
                    except (ApiError, CommandError) as error:
                        problems.append(f"error retrieving reference for {name}: {_reason(error)}")
                self.session.print(shown)
            for problem in sorted(problems):
                self.session.error(problem)


def _is_change(word: str) -> bool:
    return word.find("=") > 0 or (len(word) > 1 and word.endswith("-") and "=" not in word)


def _merged(before: list[Variable], changes: list[Variable], removed: set[str]) -> list[Variable]:
    """Changed in place, new ones at the end."""
    wanted = {variable["name"]: variable for variable in changes}
    merged = [wanted.pop(variable["name"], variable) for variable in before if variable["name"] not in removed]
    return merged + list(wanted.values())


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, (ApiError, CommandError)) else plain(error)
