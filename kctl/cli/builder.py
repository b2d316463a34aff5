"""From what the user names to the resources meant: TYPE, TYPE NAME..., TYPE/NAME, comma lists, `all`, -f (resource.Builder).

`Builder.selections` is for arguments (what to get, list or delete), `Builder.objects` for manifests. Nothing here fetches an
object; commands do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError, from_status
from kctl.cli.errors import AggregateError, CommandError, plain, raise_all
from kctl.client.discovery import NoKind, NoResource

if TYPE_CHECKING:
    from kctl.cli.session import Session

SLASH = (
    "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form "
    "(e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'"
)
MISSING = """You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'"""


class Selection(NamedTuple):
    """What to ask for. name '' is the whole collection; namespace '' all namespaces or none (cluster scope)."""

    resource: ResourceType
    namespace: str
    name: str = ""


class Info(NamedTuple):
    """An object of a manifest, with its type and where it comes from."""

    resource: ResourceType
    namespace: str
    name: str
    object: Object
    source: str

    @property
    def full_name(self) -> str:
        """deployment.apps/web, as messages name objects."""
        return qualified_name(self.resource, self.name)


def qualified_name(resource: ResourceType, name: str) -> str:
    """pod/x, deployment.apps/x"""
    kind = resource.kind.lower()
    return f"{kind}.{resource.group}/{name}" if resource.group else f"{kind}/{name}"


def unable_to_find(error: ApiError, resource: ResourceType, label_selector: str, field_selector: str) -> ApiError:
    """A refused list, with what was asked for (resource.Selector.Visit)."""
    if error.http_status not in (400, 404):
        return error
    subject = f'"{resource.group}/{resource.version}, Resource={resource.plural}"'
    if label_selector or field_selector:
        what = f'find {subject} that match label selector "{label_selector}", field selector "{field_selector}"'
    else:
        what = f"list {subject}"
    return from_status({**error.status, "message": f"Unable to {what}: {error.message}"})


class Builder:
    """The options of a command that say which resources it is about."""

    def __init__(
        self,
        session: Session,
        filenames: Sequence[str] = (),
        kustomize: str = "",
        recursive: bool = False,
        selector: str = "",
        field_selector: str = "",
        all_namespaces: bool = False,
        select_all: bool = False,
        validate: bool = True,
        chunk_size: int = 0,
    ) -> None:
        self.session = session
        self.filenames = filenames
        self.kustomize = kustomize
        self.recursive = recursive
        self.selector = selector
        self.field_selector = field_selector
        self.all_namespaces = all_namespaces
        self.select_all = select_all
        self.validate = validate
        self.chunk_size = chunk_size
        self.errors: list[Exception] = []

    @property
    def has_files(self) -> bool:
        return bool(self.filenames or self.kustomize)

    async def selections(self, arguments: Sequence[str], *, allow_collection: bool = True) -> list[Selection]:
        """What the arguments name, in the order kubectl visits them."""
        if self.has_files and arguments:
            raise CommandError("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well")
        if not arguments:
            raise CommandError(MISSING)
        self._check_selectors()
        if any("/" in argument for argument in arguments):
            return await self._slashed(arguments)
        types = await self._types(arguments[0])
        names = arguments[1:]
        if names:
            if self.selector or self.field_selector or self.select_all:
                raise CommandError("name cannot be provided when a selector is specified")
            return [self._named(resource, name) for resource in types for name in dict.fromkeys(names)]
        if not allow_collection and not (self.selector or self.field_selector or self.select_all):
            raise CommandError("resource(s) were provided, but no name was specified")
        return [Selection(resource, self._namespace_of(resource)) for resource in types]

    def _check_selectors(self) -> None:
        if self.select_all and self.selector:
            raise CommandError("setting 'all' parameter but found a non empty selector. ")

    async def _slashed(self, arguments: Sequence[str]) -> list[Selection]:
        if self.selector or self.field_selector or self.select_all:
            raise CommandError("name cannot be provided when a selector is specified")
        if not all("/" in argument for argument in arguments):
            raise CommandError(SLASH)
        selections: list[Selection] = []
        for argument in arguments:
            words = argument.split("/")
            if len(words) != 2 or not words[0] or not words[1]:
                raise (
                    CommandError("arguments in resource/name form may not have more than one slash")
                    if len(words) > 2
                    else (CommandError("arguments in resource/name form must have a single resource and name"))
                )
            types = await self._types(words[0])
            if len(types) != 1:
                raise CommandError("arguments in resource/name form must have a single resource and name")
            selections.append(self._named(types[0], words[1]))
        return selections

    def _named(self, resource: ResourceType, name: str) -> Selection:
        if self.all_namespaces and resource.namespaced:
            raise CommandError("a resource cannot be retrieved by name across all namespaces")
        return Selection(resource, self._namespace_of(resource), name)

    def _namespace_of(self, resource: ResourceType) -> str:
        return self.session.namespace if resource.namespaced and not self.all_namespaces else ""

    async def _types(self, words: str) -> list[ResourceType]:
        """A comma list of types and categories, each type once."""
        mapper = await self.session.mapper()
        types_by_path: dict[tuple[str, str, str], ResourceType] = {}
        for word in words.split(","):
            if not word:
                raise CommandError('the server doesn\'t have a resource type ""')
            members = [] if mapper.known_without_server(word) else await mapper.category(word)
            try:
                for resource in members or [await mapper.resource(word)]:
                    types_by_path.setdefault((resource.group, resource.version, resource.plural), resource)
            except NoResource as error:
                raise CommandError(str(error)) from None
        return list(types_by_path.values())

    async def objects(self) -> list[Info]:
        """The objects of the manifests. What cannot be used goes to `errors`, and the rest goes on, as ContinueOnError."""
        from kctl.cli import manifests

        infos: list[Info] = []
        if self.kustomize:
            await self._add_kustomized(infos)
        for source in manifests.sources(self.filenames, self.recursive, self.session.streams.input):
            try:
                for document in manifests.documents(source):
                    if self.validate:
                        manifests.check(document, source.name)
                    await self._add(document, source.name, infos)
            except CommandError as error:
                self.errors.append(error)
        return infos

    async def _add_kustomized(self, infos: list[Info]) -> None:
        """-k DIR. Raises CommandError for a kustomization that cannot be built."""
        if self.filenames:
            raise CommandError("only one of -f or -k can be specified")
        if self.recursive:
            raise CommandError("the -k flag can't be used with -f or -R")
        from kctl.cli.kustomize.build import build

        for obj in build(self.kustomize, warn=self.session.error):
            await self._add(obj, self.kustomize, infos)

    async def _add(self, document: Any, source: str, infos: list[Info]) -> None:
        from kctl.cli import manifests

        if not isinstance(document, dict):
            raise CommandError(f'unable to decode "{source}": json: cannot unmarshal into Go value of type map[string]interface {{}}')
        for obj in manifests.flatten(document):
            try:
                info = self.placed(await self.mapped(obj, source))
                if not self.selector or _selects(self.selector, obj):
                    infos.append(info)
            except CommandError as error:
                self.errors.append(error)

    async def mapped(self, obj: Object, source: str) -> Info:
        """A manifest with its type; where it says no namespace, neither does this."""
        from kctl.cli import manifests

        meta = obj.get("metadata")
        if not obj.get("kind"):
            import orjson

            text = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS).decode()
            raise CommandError(f"unable to decode \"{source}\": Object 'Kind' is missing in '{text}'")
        problem = manifests.metadata_problem(meta)
        if problem:
            raise CommandError(f'unable to decode "{source}": {problem}')
        meta = meta or {}
        name, namespace = str(meta.get("name") or ""), str(meta.get("namespace") or "")
        obj = manifests.sorted_keys(obj)
        mapper = await self.session.mapper()
        try:
            resource = await mapper.kind(str(obj.get("apiVersion") or ""), str(obj["kind"]))
        except NoKind as error:
            raise CommandError(
                f'resource mapping not found for name: "{name}" namespace: "{namespace}" from "{source}": {error}\n'
                "ensure CRDs are installed first"
            ) from None
        return Info(resource, namespace if resource.namespaced else "", name, obj, source)

    def placed(self, info: Info, *, only_here: bool = False) -> Info:
        """In its namespace, or the one of the command, which -n (or `only_here`) makes the only one allowed."""
        if not info.resource.namespaced:
            return info
        wanted = self.session.namespace
        if not info.namespace:
            meta = {**(info.object.get("metadata") or {}), "namespace": wanted}
            return info._replace(namespace=wanted, object={**info.object, "metadata": meta})
        if (only_here or self.session.namespace_is_explicit) and info.namespace != wanted:
            raise CommandError(
                f'the namespace from the provided object "{info.namespace}" does not match the namespace "{wanted}". '
                f"You must pass '--namespace={info.namespace}' to perform this operation."
            )
        return info

    def finish(self, more: Iterable[Exception] = ()) -> None:
        """Raise what went wrong on the way, if anything did; the same message only once."""
        seen: dict[str, Exception] = {}
        for error in (*self.errors, *more):
            seen.setdefault(plain(error), error)
        raise_all(list(seen.values()))


def _selects(selector: str, obj: Object) -> bool:
    from kctl.apimachinery import labels, objects

    return labels.parse(selector).matches(objects.labels(obj))


__all__ = ["MISSING", "AggregateError", "Builder", "Info", "Selection", "qualified_name"]
