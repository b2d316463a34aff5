"""kctl create -f, and the generators below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Group
from kctl.cli.errors import CommandError, UsageError, raise_all, with_source
from kctl.cli.flags import flag
from kctl.cli.lazy import Lazy
from kctl.cli.options import Manifests, ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session


def _at(module: str, short_help: str, attribute: str) -> Lazy:
    return Lazy(f"kctl.cli.create.{module}", attribute, short_help)


_GENERATORS = {
    "clusterrole": _at("clusterrole", "Create a cluster role", "CreateClusterRole"),
    "clusterrolebinding": _at("rolebinding", "Create a cluster role binding for a particular cluster role", "CreateClusterRoleBinding"),
    "configmap": _at("configmap", "Create a config map from a local file, directory or literal value", "CreateConfigMap"),
    "cronjob": _at("cronjob", "Create a cron job with the specified name", "CreateCronJob"),
    "deployment": _at("deployment", "Create a deployment with the specified name", "CreateDeployment"),
    "ingress": _at("ingress", "Create an ingress with the specified name", "CreateIngress"),
    "job": _at("job", "Create a job with the specified name", "CreateJob"),
    "namespace": _at("namespace", "Create a namespace with the specified name", "CreateNamespace"),
    "poddisruptionbudget": _at(
        "poddisruptionbudget", "Create a pod disruption budget with the specified name", "CreatePodDisruptionBudget"
    ),
    "priorityclass": _at("priorityclass", "Create a priority class with the specified name", "CreatePriorityClass"),
    "quota": _at("quota", "Create a quota with the specified name", "CreateQuota"),
    "role": _at("role", "Create a role with single rule", "CreateRole"),
    "rolebinding": _at("rolebinding", "Create a role binding for a particular role or cluster role", "CreateRoleBinding"),
    "secret": _at("secret", "Create a secret using a specified subcommand", "CreateSecret"),
    "service": _at("service", "Create a service using a specified subcommand", "CreateService"),
    "serviceaccount": _at("serviceaccount", "Create a service account with the specified name", "CreateServiceAccount"),
    "token": _at("token", "Request a service account token", "CreateToken"),
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


class Create(ObjectOutput, Manifests, Group):
    """Create a resource from a file or from stdin.

    JSON and YAML formats are accepted.
    """

    name = "create"
    usage = "-f FILENAME"
    blocking = True
    members = _GENERATORS
    aliases = _ALIASES
    takes_plugins = True

    edit: bool = flag("--edit", kind="bool", help="Edit the API resource before creating")
    raw: str = flag("--raw", help="Raw URI to POST to the server.  Uses the transport specified by the kubeconfig file.")
    save_config: bool = flag(
        "--save-config",
        kind="bool",
        help="If true, the configuration of current object will be saved in its annotation. Otherwise, the annotation will be unchanged.",
    )
    windows_line_endings: bool = flag(
        "--windows-line-endings",
        kind="bool",
        help="Only relevant if --edit=true. Defaults to the line ending native to your platform.",
    )
    selector: str = options.selector()
    dry_run: str = options.dry_run()
    schema_check: str = options.validate()
    field_manager: str = options.field_manager("kubectl-create")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files to use to create the resource")

    async def run(self) -> None:
        if self.arguments:
            raise UsageError(f"Unexpected args: [{' '.join(self.arguments)}]")
        if not self.filename and not self.kustomize:
            raise CommandError("must specify one of -f and -k")
        if self.raw:
            self._check_raw()
            await _raw(self.session, self.raw, self.filename)
            return
        if self.edit:
            await self._edited()
            return
        strategy = options.dry_run_strategy(self.dry_run, self.session.error)
        validation = options.field_validation(self.schema_check)
        results = Results(self.session, self.output, self.template, self.show_managed_fields, self.allow_missing_template_keys, strategy)
        results.check()
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, self.selector, validate=validation != "Ignore")
        errors: list[Exception] = []
        count = 0
        for info in await builder.objects():
            count += 1
            try:
                results.print(
                    info.resource, await _create(self.session, info, strategy, validation, self.field_manager, self.save_config), "created"
                )
            except ApiError as error:
                errors.append(with_source(error, "creating", info.source))
        builder.finish(errors)
        if not count:
            raise CommandError("no objects passed to create")

    def _check_raw(self) -> None:
        """What --raw, which sends one file as it is, cannot go with."""
        if self.edit:
            raise CommandError("--raw and --edit are mutually exclusive")
        if len(self.filename) != 1:
            raise CommandError("--raw can only use a single local file or stdin")
        if self.filename[0].startswith(("http://", "https://")):
            raise CommandError("--raw cannot read from a url")
        for name, given in (("recursive", self.recursive), ("selector (-l)", self.selector), ("output", self.output)):
            if given:
                raise CommandError(f"--raw and --{name} are mutually exclusive")

    async def _edited(self) -> None:
        """--edit: one editor for each object. kubectl names itself as the fields' manager here, whatever --field-manager says."""
        from kctl.cli.edit.editing import Editing, Outcome

        validation = options.field_validation(self.schema_check)

        async def create(_: Info, info: Info, outcome: Outcome) -> None:
            client = await self.session.client()
            made = await client.create(
                info.resource, info.object, info.namespace, field_manager="kubectl-create", field_validation=validation
            )
            Results.of(self).print(info.resource, made, "created")

        builder = Builder(self.session, self.filename, self.kustomize, self.recursive, validate=False)
        editing = Editing(
            self.session,
            self.output,
            validation,
            create,
            windows_line_endings=self.windows_line_endings,
            annotate=self.save_config,
            match_originals=False,
        )
        errors: list[Exception] = []
        for info in await builder.objects():
            try:
                await editing.run([info])
            except (ApiError, CommandError) as error:
                errors.append(error)
        raise_all([*builder.errors, *errors])


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


async def _raw(session: Session, path: str, filename: Sequence[str]) -> None:
    from kctl.cli.manifests import sources
    from kctl.cli.raw import raw_request

    await raw_request(session, "POST", path, sources(filename, False, session.streams.input)[0].read())
