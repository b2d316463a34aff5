"""kctl kustomize: print what a kustomization makes."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag


class Kustomize(Command):
    """Build a set of resources from a kustomization.

    DIR is a folder with a 'kustomization.yaml' file; without it, the current one. Bases and resources are folders and files: what lies at
    a URL has to be fetched first. Plugins that are programs or containers, and Helm charts, are not run.
    """

    name = "kustomize"
    usage = "DIR [flags]"
    examples = """
  # Print what the kustomization in the current folder makes
  kctl kustomize

  # Print an overlay, and apply what was printed
  kctl kustomize overlays/production | kctl apply -f -

  # The same in one step
  kctl apply -k overlays/production

  # Write the result to a file, or one file for each object into a folder
  kctl kustomize overlays/production -o production.yaml
"""
    output: str = flag("-o", "--output", help="If specified, write output to this path.")
    load_restrictor: str = flag(
        "--load-restrictor",
        default="LoadRestrictionsRootOnly",
        help="if set to 'LoadRestrictionsNone', local kustomizations may load files from outside their root. This does, however, break the relocatability of the kustomization.",
    )
    enable_helm: bool = flag("--enable-helm", kind="bool", help="Enable use of the Helm chart inflator generator. Not supported.")
    helm_command: str = flag("--helm-command", default="helm", help="helm command (path to executable). Of no use without charts.")
    helm_kube_version: str = flag(
        "--helm-kube-version", help="Kubernetes version used by Helm for Capabilities.KubeVersion. Of no use without charts."
    )
    helm_api_versions: Sequence[str] = flag(
        "--helm-api-versions",
        kind="array",
        default=(),
        help="Kubernetes api versions used by Helm for Capabilities.APIVersions. Of no use without charts.",
    )
    helm_debug: bool = flag(
        "--helm-debug", kind="bool", help="Enable debug output from the Helm chart inflator generator. Of no use without charts."
    )
    enable_alpha_plugins: bool = flag("--enable-alpha-plugins", kind="bool", help="enable kustomize plugins. Not supported.")
    network: bool = flag("--network", kind="bool", help="enable network access for functions that declare it. Not supported.")
    network_name: str = flag(
        "--network-name", default="bridge", help="the docker network to run the container in. Of no use without functions."
    )
    mount: Sequence[str] = flag(
        "--mount", kind="array", default=(), help="a list of storage options read from the filesystem. Not supported."
    )
    env: Sequence[str] = flag(
        "-e", "--env", kind="array", default=(), help="a list of environment variables to be used by functions. Not supported."
    )
    as_current_user: bool = flag(
        "--as-current-user",
        kind="bool",
        help="use the uid and gid of the command executor to run the function in the container. Not supported.",
    )
    without_effect = frozenset({"helm_command", "helm_kube_version", "helm_api_versions", "helm_debug", "network_name"})

    def validate(self) -> None:
        if len(self.arguments) > 1:
            raise CommandError("specify one path to kustomization.yaml")
        if self.load_restrictor not in ("LoadRestrictionsRootOnly", "LoadRestrictionsNone"):
            raise CommandError(
                f"illegal flag value --load-restrictor {self.load_restrictor}; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]"
            )
        given: dict[str, object] = {"as_current_user": self.as_current_user, "enable_alpha_plugins": self.enable_alpha_plugins}
        given |= {"enable_helm": self.enable_helm, "network": self.network, "mount": self.mount, "env": self.env}
        for name, value in given.items():
            if value:
                raise CommandError(f"--{name.replace('_', '-')} is not supported: kctl runs no charts, plugins or functions")

    def run(self) -> None:
        from kctl.cli.kustomize.build import build, text

        folder = self.arguments[0] if self.arguments else "."
        objects = build(folder or ".", restrictor=self.load_restrictor, warn=self.session.error)
        if self.output:
            from kctl.cli.kustomize.output import write

            write(objects, self.output)
        else:
            self.session.write(text(objects))
