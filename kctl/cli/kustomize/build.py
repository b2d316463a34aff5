"""A whole build: the first kustomization with all below it, hashes of generated names, references to names, vars, order, and the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kctl.apimachinery.kubernetes_version import KUSTOMIZE_VERSION
from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError
from kctl.cli.kustomize import generators, name_references, origins, sort_order, transformers
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.kustomization import COMPONENT
from kctl.cli.kustomize.loader import ROOT_ONLY, Loader
from kctl.cli.kustomize.origins import Origin
from kctl.cli.kustomize.target import Accumulator, Build, Target


def build(folder: str, *, restrictor: str = ROOT_ONLY, warn: Callable[[str], object] | None = None) -> list[Object]:
    """The objects of the kustomization in `folder`, in the order they are printed. `warn` hears of deprecated fields. Raises
    CommandError."""
    shared = Build(warn)
    target = Target(Loader.at(folder, restrictor), shared, Origin())
    file = target.kustomization
    if file.text("kind") == COMPONENT:
        raise CommandError(f"expected kind != '{COMPONENT}' for path '{folder}'")
    options = [str(option) for option in file.entries("buildMetadata")]
    shared.keeps_origins = bool(options)
    found = target.accumulate(Accumulator())
    generators.add_hashes(found.resources)
    name_references.update(found.resources, found.config.name_references)
    found.variables.resolve(found.resources, found.config.variable_references)
    sort_order.sort(found.resources, file.get("sortOptions"))
    if origins.MANAGED_BY in options:
        label = {"app.kubernetes.io/managed-by": f"kustomize-{KUSTOMIZE_VERSION}"}
        transformers.add_entries(found.resources.resources, label, [FieldSpec("metadata/labels", create=True)])
    origins.annotate(found.resources, options)
    for one in found.resources.resources:
        if one.metadata.get("annotations") == {}:
            one.set_metadata("annotations", None)
    return [one.object for one in found.resources.resources]


def text(objects: Sequence[Object]) -> str:
    """As YAML, byte for byte as kustomize prints them."""
    from kctl.apimachinery.yaml import dump

    return "---\n".join(map(dump, objects))
