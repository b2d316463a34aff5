"""kctl create -f, and the generators below it."""

from __future__ import annotations

from typing import Any

import click

from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import KubectlGroup, Lazy
from kctl.cli.errors import CommandError, UsageError, with_source
from kctl.cli.flags import flag
from kctl.cli.results import Results
from kctl.cli.session import Session


def _at(module: str, short_help: str, attribute: str = "command") -> Lazy:
    return Lazy(f"kctl.cli.create.{module}", attribute, short_help)


_GENERATORS = {
    "clusterrole": _at("clusterrole", "Create a cluster role"),
    "clusterrolebinding": _at("rolebinding", "Create a cluster role binding for a particular cluster role", "cluster"),
    "configmap": _at("configmap", "Create a config map from a local file, directory or literal value"),
    "cronjob": _at("cronjob", "Create a cron job with the specified name"),
    "deployment": _at("deployment", "Create a deployment with the specified name"),
    "ingress": _at("ingress", "Create an ingress with the specified name"),
    "job": _at("job", "Create a job with the specified name"),
    "namespace": _at("namespace", "Create a namespace with the specified name"),
    "poddisruptionbudget": _at("poddisruptionbudget", "Create a pod disruption budget with the specified name"),
    "priorityclass": _at("priorityclass", "Create a priority class with the specified name"),
    "quota": _at("quota", "Create a quota with the specified name"),
    "role": _at("role", "Create a role with single rule"),
    "rolebinding": _at("rolebinding", "Create a role binding for a particular role or cluster role"),
    "secret": _at("secret", "Create a secret using a specified subcommand"),
    "service": _at("service", "Create a service using a specified subcommand"),
    "serviceaccount": _at("serviceaccount", "Create a service account with the specified name"),
    "token": _at("token", "Request a service account token"),
}
_ALIASES = {
    "ns": "namespace",
    "cm": "configmap",
    "deploy": "deployment",
    "svc": "service",
    "sa": "serviceaccount",
    "cj": "cronjob",
    "pdb": "poddisruptionbudget",
    "pc": "priorityclass",
    "ing": "ingress",
    "resourcequota": "quota",
}


@click.command(
    "create",
    cls=KubectlGroup,
    blocking=True,
    short_help="Create a resource from a file or from stdin",
    usage="-f FILENAME",
    lazy=_GENERATORS,
    aliases=_ALIASES,
)
@flag("--edit", kind="bool", help="Edit the API resource before creating")
@flag("--raw", help="Raw URI to POST to the server.  Uses the transport specified by the kubeconfig file.")
@flag(
    "--save-config",
    kind="bool",
    help="If true, the configuration of current object will be saved in its annotation. Otherwise, the annotation will be unchanged.",
)
@options.selector()
@options.output()
@options.dry_run()
@options.validate()
@options.field_manager("kubectl-create")
@options.filename("Filename, directory, or URL to files to use to create the resource")
async def command(
    session: Session,
    arguments: tuple[str, ...],
    edit: bool,
    raw: str,
    save_config: bool,
    selector: str,
    output: str,
    template: str,
    show_managed_fields: bool,
    allow_missing_template_keys: bool,
    dry_run: str,
    validate: str,
    field_manager: str,
    filename: tuple[str, ...],
    kustomize: str,
    recursive: bool,
) -> None:
    """Create a resource from a file or from stdin.

    JSON and YAML formats are accepted.
    """
    if arguments:
        raise UsageError(f"Unexpected args: [{' '.join(arguments)}]")
    if not filename and not kustomize:
        raise CommandError("must specify one of -f and -k")
    if edit:
        raise CommandError("--edit is not supported; change the manifest before creating it")
    if raw:
        await _raw(session, raw, filename)
        return
    strategy = options.dry_run_strategy(dry_run, session.error)
    validation = options.field_validation(validate)
    results = Results(session, output, template, show_managed_fields, allow_missing_template_keys, strategy)
    results.check()
    builder = Builder(session, filename, kustomize, recursive, selector, validate=validation != "Ignore")
    errors: list[Exception] = []
    count = 0
    for info in await builder.objects():
        count += 1
        try:
            results.print(info.resource, await _create(session, info, strategy, validation, field_manager, save_config), "created")
        except ApiError as error:
            errors.append(with_source(error, "creating", info.source))
    builder.finish(errors)
    if not count:
        raise CommandError("no objects passed to create")


async def _create(session: Session, info: Info, strategy: str, validation: str, field_manager: str, save_config: bool) -> dict[str, Any]:
    obj = info.object
    if save_config:
        from kctl.cli.apply.last_applied import annotated

        obj = annotated(obj)
    if strategy == "client":
        return obj
    client = await session.client()
    return await client.create(
        info.resource,
        obj,
        info.namespace,
        dry_run=strategy == "server",
        field_manager=field_manager,
        field_validation=validation,
    )


async def _raw(session: Session, path: str, filename: tuple[str, ...]) -> None:
    from kctl.cli.manifests import sources
    from kctl.cli.raw import raw_request

    if len(filename) != 1:
        raise CommandError("--raw can only use a single local file or stdin")
    await raw_request(session, "POST", path, sources(filename, False)[0].read())
