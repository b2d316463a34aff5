"""What webhooks and admission policies share: rules about operations and resources, match conditions, selectors."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rules.checks import alone, most_items
from kctl.kube_apiserver.registry.rules.language import each, field, pointer, struct

if TYPE_CHECKING:
    from kctl.kube_apiserver.admission.cel_environment import Environment
    from kctl.kube_apiserver.cel.program import Program

OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
FAILURE_POLICIES = enums.of("ValidatingWebhook.failurePolicy")
MATCH_POLICIES = enums.of("ValidatingWebhook.matchPolicy")
_MAX_CONDITIONS = 64


def _resources(resources: list[str], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    wide: set[str] = set()
    sub_wide: set[str] = set()
    plain = False
    for index, text in enumerate(resources):
        here = f"{path}[{index}]"
        if not text:
            errors.append(field_errors.required(here))
            continue
        resource, slash, sub = text.partition("/")
        if not slash:
            plain = text != "*"
            continue
        if resource in wide:
            errors.append(field_errors.invalid(here, text, f"if '{resource}/*' is present, must not specify {text}"))
        if sub in sub_wide:
            errors.append(field_errors.invalid(here, text, f"if '*/{sub}' is present, must not specify {text}"))
        if sub == "*":
            wide.add(resource)
        if resource == "*":
            sub_wide.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        errors.append(field_errors.invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and plain:
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(field_errors.invalid(path, resources, why))
    return errors


def environment_of(root: Any) -> Environment:
    """What the expressions of a policy or webhook configuration may name. CEL is loaded by the first object that has some."""
    spec = root.get("spec") or {}
    variables = spec.get("variables") or ()
    return _environment(
        spec.get("paramKind") is not None, tuple((each.get("name") or "", each.get("expression") or "") for each in variables)
    )


@lru_cache(maxsize=16)
def _environment(has_params: bool, variables: tuple[tuple[str, str], ...]) -> Environment:
    from kctl.kube_apiserver.admission.cel_environment import Environment

    return Environment(has_params=has_params, variables=[{"name": name, "expression": text} for name, text in variables])


def expression_errors(path: str, expression: str, compiled: Program | str) -> list[FieldError]:
    """A CEL expression that does not compile, or evaluates to something else than is wanted."""
    return [field_errors.invalid(path, expression, compiled)] if isinstance(compiled, str) else []


_EACH_OPERATION = each(lambda value, path: [] if value in OPERATIONS else [field_errors.unsupported(path, value, OPERATIONS)])
_EACH_VERSION = each(lambda value, path: [] if value else [field_errors.required(path)])
_RULE = (
    field("operations", required=True),
    field("operations", alone("operations"), _EACH_OPERATION, zero=()),
    field("apiGroups", alone("API groups"), required=True),
    field("apiVersions", alone("API versions"), required=True),
    field("apiVersions", _EACH_VERSION),
    field("resources", _resources, required=True),
    pointer("scope", enum=("*", "Cluster", "Namespaced"), default="*"),
)
RULES = each(struct(*_RULE))
_NAMED_RULES = each(struct(field("resourceNames", each(names.path_segment_name), each(unique=True)), *_RULE))


def mutation(environment: Environment, patch_type: str, text: str) -> Program | str:
    """The expression of a mutation, compiled."""
    from kctl.kube_apiserver.admission.cel_environment import JSON_PATCHES, OBJECT

    return environment.compile(text, OBJECT if patch_type == "ApplyConfiguration" else JSON_PATCHES, patches=True)


def _condition(text: str, path: str, root: Any) -> list[FieldError]:
    expression = text.strip()
    if not expression:
        return [field_errors.required(path)]
    return expression_errors(path, expression, environment_of(root).compile(expression, "bool"))


MATCH_CONDITIONS = field(
    "matchConditions",
    most_items(_MAX_CONDITIONS),
    each(struct(field("expression", _condition), field("name", names.qualified_name, required=True)), unique="name"),
    zero=(),
)
SELECTORS = (
    pointer("namespaceSelector", validate_label_selector, default={}),
    pointer("objectSelector", validate_label_selector, default={}),
)
MATCH_RESOURCES = struct(
    pointer("matchPolicy", default="Equivalent"),
    field("matchPolicy", required=True, enum=MATCH_POLICIES),
    *SELECTORS,
    field("resourceRules", _NAMED_RULES),
    field("excludeResourceRules", _NAMED_RULES),
)
