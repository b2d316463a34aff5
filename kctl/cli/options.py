"""Flags that several commands share, in kubectl's words: -n and the other global ones, -f, -l, -o, --dry-run, -A."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from kctl.cli.errors import CommandError
from kctl.cli.flags import Flag, flag

HELP_FLAG: Final[Flag] = flag("-h", "--help", kind="bool", default=False, help="Show help.")

GLOBAL_FLAGS: Final[tuple[Flag, ...]] = (
    flag("--as", help="Username to impersonate for the operation. User could be a regular user or a service account in a namespace."),
    flag(
        "--as-group",
        kind="array",
        default=(),
        help="Group to impersonate for the operation, this flag can be repeated to specify multiple groups.",
    ),
    flag("--as-uid", help="UID to impersonate for the operation."),
    flag(
        "--as-user-extra",
        kind="array",
        default=(),
        help="User extras to impersonate for the operation, this flag can be repeated to specify multiple values for the same key.",
    ),
    flag("--cache-dir", help="Default cache directory"),
    flag("--certificate-authority", help="Path to a cert file for the certificate authority"),
    flag("--client-certificate", help="Path to a client certificate file for TLS"),
    flag("--client-key", help="Path to a client key file for TLS"),
    flag("--cluster", help="The name of the kubeconfig cluster to use; without a kubeconfig, of the local kctl cluster"),
    flag("--context", help="The name of the kubeconfig context to use"),
    flag(
        "--disable-compression",
        kind="bool",
        default=False,
        help="If true, opt-out of response compression for all requests to the server. kctl never asks for compressed answers.",
    ),
    flag(
        "--insecure-skip-tls-verify",
        kind="bool",
        default=False,
        help="If true, the server's certificate will not be checked for validity. This will make your HTTPS connections insecure",
    ),
    flag("--kubeconfig", help="Path to the kubeconfig file to use for CLI requests."),
    flag(
        "--kuberc",
        help="Path to the kuberc file to use for preferences. This can be disabled by exporting KUBECTL_KUBERC=false feature gate or turning off the feature KUBERC=off.",
    ),
    flag("--match-server-version", kind="bool", default=False, help="Require server version to match client version"),
    flag("-n", "--namespace", help="If present, the namespace scope for this CLI request"),
    flag("--password", help="Password for basic authentication to the API server"),
    flag("--proxy-url", help="Proxy URL to use for requests to the API server"),
    flag(
        "--request-timeout",
        default="0",
        help="The length of time to wait before giving up on a single server request. Non-zero values should contain a corresponding time unit (e.g. 1s, 2m, 3h). A value of zero means don't timeout requests.",
    ),
    flag("-s", "--server", help="The address and port of the Kubernetes API server"),
    flag(
        "--tls-server-name",
        help="Server name to use for server certificate validation. If it is not provided, the hostname used to contact the server is used",
    ),
    flag("--token", help="Bearer token for authentication to the API server"),
    flag("--user", help="The name of the kubeconfig user to use"),
    flag("--username", help="Username for basic authentication to the API server"),
    flag("-v", "--v", kind="int", default=0, help="number for the log level verbosity"),
    flag(
        "--warnings-as-errors",
        kind="bool",
        default=False,
        help="Treat warnings received from the server as errors and exit with a non-zero exit code",
    ),
)


def recursive(*, default: bool = False) -> Any:
    return flag(
        "-R",
        "--recursive",
        kind="bool",
        default=default,
        help="Process the directory used in -f, --filename recursively. Useful when you want to manage related manifests organized within the same directory.",
    )


class Manifests:
    """-f, -k and -R. Commands say what their files are for: `filename: Sequence[str] = options.filename("...")`."""

    filename: Sequence[str] = flag("-f", "--filename", kind="slice", help="containing the resource")
    kustomize: str = flag("-k", "--kustomize", help="Process the kustomization directory. This flag can't be used together with -f or -R.")
    recursive: bool = recursive()


GLOBAL_FLAGS_WITHOUT_EFFECT: Final = frozenset({"disable_compression"})


def filename(what: str) -> Any:
    return flag("-f", "--filename", kind="slice", help=what)


def selector() -> Any:
    return flag(
        "-l",
        "--selector",
        help="Selector (label query) to filter on, supports '=', '==', '!=', 'in', 'notin'.(e.g. -l key1=value1,key2=value2,key3 in (value3)). Matching objects must satisfy all of the specified label constraints.",
    )


def field_selector() -> Any:
    return flag(
        "--field-selector",
        help="Selector (field query) to filter on, supports '=', '==', and '!='.(e.g. --field-selector key1=value1,key2=value2). The server only supports a limited number of field queries per type.",
    )


def all_namespaces() -> Any:
    return flag(
        "-A",
        "--all-namespaces",
        kind="bool",
        help="If present, list the requested object(s) across all namespaces. Namespace in current context is ignored even if specified with --namespace.",
    )


def dry_run() -> Any:
    return flag(
        "--dry-run",
        default="none",
        bare="unchanged",
        help='Must be "none", "server", or "client". If client strategy, only print the object that would be sent, without sending it. If server strategy, submit server-side request without persisting the resource.',
    )


def output_flag(default: str = "") -> Any:
    return flag(
        "-o",
        "--output",
        default=default,
        help="Output format. One of: (json, yaml, kyaml, name, go-template, go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file).",
    )


class ObjectOutput:
    """-o and what belongs to it, for commands that print the object they changed."""

    output: str = output_flag()
    template: str = flag(
        "--template",
        help="Template string or path to template file to use when -o=go-template, -o=go-template-file. The template format is golang templates [http://golang.org/pkg/text/template/#pkg-overview].",
    )
    show_managed_fields: bool = flag(
        "--show-managed-fields", kind="bool", help="If true, keep the managedFields when printing objects in JSON or YAML format."
    )
    allow_missing_template_keys: bool = flag(
        "--allow-missing-template-keys",
        kind="bool",
        default=True,
        help="If true, ignore any errors in templates when a field or map key is missing in the template. Only applies to golang and jsonpath output formats.",
    )


def validate() -> Any:
    return flag(
        "--validate",
        default="strict",
        bare="strict",
        help='Must be one of: strict (or true), warn, ignore (or false). "true" or "strict" will use a schema to validate the input and fail the request if invalid. "warn" will warn about unknown or duplicate fields without blocking the request. "false" or "ignore" will not perform any schema validation, silently dropping any unknown or duplicate fields.',
    )


def save_config() -> Any:
    return flag(
        "--save-config",
        kind="bool",
        help="If true, the configuration of current object will be saved in its annotation. Otherwise, the annotation will be unchanged. This flag is useful when you want to perform kubectl apply on this object in the future.",
    )


def windows_line_endings() -> Any:
    return flag("--windows-line-endings", kind="bool", help="Defaults to the line ending native to your platform.")


def field_manager(default: str) -> Any:
    return flag("--field-manager", default=default, help="Name of the manager used to track field ownership.")


DryRun = Literal["none", "client", "server"]


def dry_run_strategy(value: str, warn: Callable[[str], object]) -> DryRun:
    """cmdutil.GetDryRunStrategy; `warn` gets the deprecation notes of the old boolean spellings."""
    if value in ("none", "client", "server"):
        return value  # type: ignore[return-value]
    if value == "unchanged":
        warn("--dry-run is deprecated and can be replaced with --dry-run=client.")
        return "client"
    if value.lower() in ("true", "1", "t"):
        warn(f"--dry-run={value} is deprecated (boolean value) and can be replaced with --dry-run=client.")
        return "client"
    if value.lower() in ("false", "0", "f"):
        warn(f"--dry-run={value} is deprecated (boolean value) and can be replaced with --dry-run=none.")
        return "none"
    raise CommandError(f'Invalid dry-run value ({value}). Must be "none", "server", or "client".')


def field_validation(value: str) -> str:
    """The fieldValidation parameter of a --validate value (cmdutil.GetValidationDirective)."""
    known = {"strict": "Strict", "true": "Strict", "warn": "Warn", "ignore": "Ignore", "false": "Ignore"}
    meant = known.get(value.lower()) or {"1": "Strict", "t": "Strict", "0": "Ignore", "f": "Ignore"}.get(value.lower())
    if meant is None:
        raise CommandError(f'invalid - validate option "{value}"; must be one of: strict (or true), warn, ignore (or false)')
    return meant
