"""One kustomization at work: its resources and bases, its generators, its components, then its transformers, in kustomize's order.

Names are not yet put right here: that needs all names in their last form, and is done once for the whole (build.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery.yaml import YamlError, dump, load
from kctl.cli.errors import CommandError
from kctl.cli.kustomize import field_specs, generators, kustomization, origins, patches, plugins, replacements, schemas, transformers
from kctl.cli.kustomize.default_specs import TransformerConfig, config_of, default_config
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.kustomization import COMPONENT, Kustomization
from kctl.cli.kustomize.loader import Loader, is_remote, refuse_remote
from kctl.cli.kustomize.origins import Origin
from kctl.cli.kustomize.patches import Metas, Patch
from kctl.cli.kustomize.plugins import Transform
from kctl.cli.kustomize.resource import Resource, ResourceMap
from kctl.cli.kustomize.variables import Variables
from kctl.cli.kustomize.yaml_values import MalformedYaml, resources_of

_LOCAL_ONLY = "config.kubernetes.io/local-config"
_METADATA_LABELS = FieldSpec("metadata/labels", create=True)


class Accumulator:
    """What a kustomization and its bases have gathered so far."""

    def __init__(self) -> None:
        self.resources = ResourceMap()
        self.config = TransformerConfig()
        self.variables = Variables()

    def merge(self, other: Accumulator) -> None:
        """Raises CommandError where an object, a variable or a field spec contradicts one that is there."""
        self.resources.append_all(other.resources)
        self.config = self.config.merged(other.config)
        self.variables.merge(other.variables)


class Build:
    """What all kustomizations of one build share."""

    def __init__(self, warn: Callable[[str], object] | None = None) -> None:
        self.warn = warn
        self.metas = Metas()
        self.keeps_origins = False


class Target:
    def __init__(self, loader: Loader, build: Build, origin: Origin) -> None:
        """Raises CommandError where there is no kustomization, or no good one."""
        self._loader = loader
        self._build = build
        self._origin = origin
        self.kustomization: Kustomization = kustomization.read(loader, build.warn)
        found = schemas.openapi_metas(loader, self.kustomization.mapping("openapi"))
        if found is not None:
            build.metas.replace(found)

    def accumulate(self, into: Accumulator) -> Accumulator:
        """`into` is empty, or for a component what its parent has."""
        file, loader = self.kustomization, self._loader
        try:
            self._add_resources(into, file.entries("resources"))
        except CommandError as error:
            raise CommandError(f"accumulating resources: {error.message}") from None
        config = default_config()
        if file.entries("configurations"):
            config = TransformerConfig()
            for path in file.entries("configurations"):
                config = config.merged(config_of(_loaded(loader, str(path))))
            config = config.merged(default_config())
        into.config = into.config.merged(config).merged(schemas.crd_config(loader, file.entries("crds")))
        self._generate(into)
        self._add_components(into)
        self._transform(into)
        self._validate(into)
        into.variables.add(file.entries("vars"), into.resources)
        into.resources.resources = [one for one in into.resources.resources if _is_shared(one)]
        return into

    def _add_resources(self, into: Accumulator, paths: list[Any]) -> None:
        """Each path is a file or else a folder with a kustomization."""
        for path in map(str, paths):
            if is_remote(path):
                refuse_remote(path)
            try:
                self._add_file(into, path)
            except MalformedYaml:
                raise
            except CommandError as as_file:
                try:
                    self._add_folder(into, path)
                except CommandError as error:
                    raise CommandError(f"accumulation err='{as_file.message}': {error.message}") from None

    def _add_file(self, into: Accumulator, path: str) -> None:
        try:
            found = resources_of(self._loader.load(path))
        except MalformedYaml as error:
            raise MalformedYaml(f"accumulating resources from '{path}': {error.message} in File: {path}") from None
        except CommandError as error:
            raise CommandError(f"accumulating resources from '{path}': {error.message}") from None
        for one in found:
            one.origin = self._origin.of_file(path)
        try:
            into.resources.append_all(ResourceMap(found))
        except CommandError as error:
            raise CommandError(f"merging resources from '{path}': {error.message}") from None

    def _add_folder(self, into: Accumulator, path: str) -> None:
        loader = self._loader.below(path)
        target = self._below(loader, path)
        if target.kustomization.text("kind") == COMPONENT:
            raise CommandError(f"expected kind != '{COMPONENT}' for path '{loader.root}'")
        try:
            found = target.accumulate(Accumulator())
        except CommandError as error:
            raise CommandError(f"recursed accumulation of path '{loader.root}': {error.message}") from None
        try:
            into.merge(found)
        except CommandError as error:
            raise CommandError(f"recursed merging from path '{loader.root}': {error.message}") from None

    def _below(self, loader: Loader, path: str) -> Target:
        try:
            return Target(loader, self._build, self._origin.below(path))
        except CommandError as error:
            raise CommandError(f"couldn't make target for path '{loader.root}': {error.message}") from None

    def _add_components(self, into: Accumulator) -> None:
        for path in map(str, self.kustomization.entries("components")):
            try:
                loader = self._loader.below(path)
            except CommandError as error:
                raise CommandError(f'accumulating components: loader.New "{error.message}"') from None
            try:
                target = self._below(loader, path)
                kind = target.kustomization.text("kind") or kustomization.KUSTOMIZATION
                if kind != COMPONENT:
                    raise CommandError(f"expected kind '{COMPONENT}' for path '{loader.root}' but got '{kind}'")
                try:
                    target.accumulate(into)
                except CommandError as error:
                    raise CommandError(f"recursed accumulation of path '{loader.root}': {error.message}") from None
            except CommandError as error:
                raise CommandError(f'accumulating components: accumulateDirectory: "{error.message}"') from None

    # ------------------------------------------------------------ generators

    def _generate(self, into: Accumulator) -> None:
        file = self.kustomization
        _refuse_charts(file)
        for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for entry in file.entries(field):
                options = generators.merged_options(file.get("generatorOptions"), entry.get("options"))
                made = generators.make(kind, entry, options, self._loader)
                made.origin = self._origin.of_plugin(file.file_name, f"{kind}Generator")
                generators.absorb(into.resources, made)
        for one in self._plugins("generators", generator=True):
            made = plugins.generate(one, self._loader)
            made.origin = self._origin.of_plugin(file.file_name, one.kind, one)
            generators.absorb(into.resources, made)

    def _plugins(self, field: str, *, generator: bool = False) -> list[Resource]:
        """The configurations that `generators`, `transformers` or `validators` name or hold."""
        found = Accumulator()
        for entry in map(str, self.kustomization.entries(field)):
            inline = None
            if "\n" in entry or entry.lstrip().startswith("{"):
                try:
                    inline = resources_of(entry.encode())
                except CommandError:
                    inline = None
            if inline is not None:
                found.resources.append_all(ResourceMap(inline))
            else:
                self._add_resources(found, [entry])
        for one in found.resources.resources:
            plugins.check_built_in(one, generator=generator)
        return found.resources.resources

    # ---------------------------------------------------------- transformers

    def _transform(self, into: Accumulator) -> None:
        steps = self._steps(into.config)
        for one in self._plugins("transformers"):
            steps.append((one.kind, plugins.transformer(one, self._loader, self._build.metas), one))
        for kind, step, configuration in steps:
            step(into.resources)
            if self._build.keeps_origins:
                origin = self._origin.of_plugin(self.kustomization.file_name, kind, configuration)
                origins.note_transformation(into.resources, origin)
            into.resources.drop_empty()

    def _validate(self, into: Accumulator) -> None:
        """What a validator does to the objects is thrown away."""
        for one in self._plugins("validators"):
            plugins.transformer(one, self._loader, self._build.metas)(ResourceMap(each.copy() for each in into.resources.resources))

    def _steps(self, config: TransformerConfig) -> list[tuple[str, Transform, Resource | None]]:
        """kustomize's order; what the file does not ask for is left out."""
        file, loader, metas = self.kustomization, self._loader, self._build.metas
        steps: list[tuple[str, Transform, Resource | None]] = []

        def add(kind: str, step: Transform) -> None:
            steps.append((kind, step, None))

        if file.entries("patchesStrategicMerge"):
            loaded = _configured(
                "PatchStrategicMergeTransformer",
                {"paths": file["patchesStrategicMerge"]},
                lambda: patches.strategic_patches(file["patchesStrategicMerge"], loader),
            )
            add("PatchStrategicMergeTransformer", lambda resources: plugins.apply_strategic(resources, loaded, metas))
        for entry in file.entries("patches"):
            add("PatchTransformer", _patch_step("PatchTransformer", entry, loader, metas))
        namespace = file.text("namespace")
        if namespace:
            add("NamespaceTransformer", lambda resources: transformers.set_namespace(resources, namespace, config.namespace))
        if file.text("namePrefix"):
            add("PrefixTransformer", lambda resources: transformers.add_prefix(resources, file.text("namePrefix"), config.name_prefix))
        if file.text("nameSuffix"):
            add("SuffixTransformer", lambda resources: transformers.add_suffix(resources, file.text("nameSuffix"), config.name_suffix))
        for label in file.entries("labels"):
            add("LabelTransformer", _label_step(label, config))
        if file.mapping("commonLabels"):
            common = {key: str(value) for key, value in file.mapping("commonLabels").items()}
            add("LabelTransformer", lambda resources: transformers.add_entries(resources.resources, common, config.common_labels))
        if file.mapping("commonAnnotations"):
            notes = {key: str(value) for key, value in file.mapping("commonAnnotations").items()}
            add("AnnotationsTransformer", lambda resources: transformers.add_entries(resources.resources, notes, config.common_annotations))
        for entry in file.entries("patchesJson6902"):
            renamed = {("jsonOp" if name == "patch" else name): value for name, value in entry.items()}
            add("PatchJson6902Transformer", _patch_step("PatchJson6902Transformer", renamed, loader, metas, "jsonOp"))
        for entry in file.entries("replicas"):
            add("ReplicaCountTransformer", _replica_step(entry, config))
        for entry in file.entries("images"):
            add("ImageTagTransformer", _image_step(entry, config))
        if file.entries("replacements"):
            entries = replacements.expanded(file["replacements"], loader)
            add("ReplacementTransformer", lambda resources: replacements.replace(resources, entries))
        return steps


def _loaded(loader: Loader, path: str) -> Any:
    try:
        return load(loader.load(path))
    except YamlError as error:
        raise CommandError(error.message) from None


def _is_shared(one: Resource) -> bool:
    return one.strings("annotations").get(_LOCAL_ONLY, "false") == "false"


def _refuse_charts(file: Kustomization) -> None:
    for entry in (file.get("helmCharts") or []) + (file.get("helmChartInflationGenerator") or []):
        shown = dump(entry) if isinstance(entry, dict) else ""
        raise CommandError(f"trouble configuring builtin HelmChartInflationGenerator with config: `\n{shown}`: must specify --enable-helm")


def _configured(plugin: str, config: dict[str, Any], make: Callable[[], Any]) -> Any:
    try:
        return make()
    except CommandError as error:
        shown = dump({key: value for key, value in config.items() if value})
        raise CommandError(f"trouble configuring builtin {plugin} with config: `\n{shown}`: {error.message}") from None


def _patch_step(plugin: str, entry: dict[str, Any], loader: Loader, metas: Metas, field: str = "patch") -> Transform:
    patch: Patch = _configured(plugin, entry, lambda: Patch(entry, loader, field))
    return lambda resources: patch.apply(resources, metas)


def _label_step(label: dict[str, Any], config: TransformerConfig) -> Transform:
    specs = [FieldSpec.of(entry) for entry in label.get("fields") or ()]
    if label.get("includeSelectors"):
        specs = field_specs.merge(specs, config.common_labels)
    elif label.get("includeTemplates"):
        specs = field_specs.merge(specs, config.template_labels)
    specs = specs if label.get("includeSelectors") else field_specs.merge(specs, [_METADATA_LABELS])
    pairs = {key: str(value) for key, value in (label.get("pairs") or {}).items()}
    return lambda resources: transformers.add_entries(resources.resources, pairs, specs)


def _replica_step(entry: dict[str, Any], config: TransformerConfig) -> Transform:
    name, count = str(entry.get("name") or ""), int(entry.get("count") or 0)
    return lambda resources: transformers.set_replicas(resources, name, count, config.replicas)


def _image_step(entry: dict[str, Any], config: TransformerConfig) -> Transform:
    return lambda resources: transformers.set_image(resources, entry, config.images)
