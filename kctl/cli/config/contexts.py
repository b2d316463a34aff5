"""kctl config: current-context, use-context, get-contexts, set-context, rename-context, delete-context."""

from __future__ import annotations

from kctl.cli.command import Command
from kctl.cli.config.files import ConfigFiles, require_arguments
from kctl.cli.errors import CommandError, raise_all
from kctl.cli.flags import flag
from kctl.printers.elastic_tabs import align


class ConfigCurrentContext(Command):
    """Display the current-context."""

    name = "current-context"

    def run(self) -> None:
        current = ConfigFiles(self.session).merged().current_context
        if not current:
            raise CommandError("current-context is not set")
        self.session.print(current)


class ConfigUseContext(Command):
    """Set the current-context in a kubeconfig file."""

    name = "use-context"
    usage = "CONTEXT_NAME"
    examples = "  # Use the context for the minikube cluster\n  kctl config use-context minikube\n"

    def validate(self) -> None:
        require_arguments(len(self.arguments) == 1, self)

    def run(self) -> None:
        files = ConfigFiles(self.session)
        if self.arguments[0] not in files.merged().contexts:
            raise CommandError(f'no context exists with the name: "{self.arguments[0]}"')
        files.use(self.arguments[0])
        self.session.print(f'Switched to context "{self.arguments[0]}".')


class ConfigGetContexts(Command):
    """Display one or many contexts from the kubeconfig file."""

    name = "get-contexts"
    usage = "[(-o|--output=)name)]"
    examples = """
  # List all the contexts in your kubeconfig file
  kctl config get-contexts

  # Describe one context in your kubeconfig file
  kctl config get-contexts my-context
"""

    no_headers: bool = flag(
        "--no-headers",
        kind="bool",
        help="When using the default or custom-column output format, don't print headers (default print headers).",
    )
    output: str = flag("-o", "--output", help="Output format. One of: (name).")

    def run(self) -> None:
        if self.output not in ("", "name"):
            raise CommandError(f"--output {self.output} is not available in kctl config get-contexts; resetting to default output format")
        config = ConfigFiles(self.session).merged()
        names = sorted(self.arguments or config.contexts)
        errors: list[Exception] = [CommandError(f"context {name} not found") for name in names if name not in config.contexts]
        lines = [] if self.no_headers or self.output == "name" else ["CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE"]
        for name in filter(config.contexts.__contains__, names):
            if self.output == "name":
                lines.append(name)
                continue
            context = config.contexts[name]
            mark = "*" if name == config.current_context else ""
            lines.append("\t".join([mark, name, *(str(context.get(field) or "") for field in ("cluster", "user", "namespace"))]))
        if lines:
            self.session.write(align("\n".join(lines) + "\n", minimum=6, padding=3))
        raise_all(errors)


class ConfigSetContext(Command):
    """Set a context entry in kubeconfig.

    Specifying a name that already exists will merge new fields on top of existing values for those fields.
    """

    name = "set-context"
    usage = "[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]"
    examples = """
  # Set the user field on the gce context entry without touching other values
  kctl config set-context gce --user=cluster-admin

  # Work in another namespace from now on
  kctl config set-context --current --namespace=kube-system
"""

    cluster: str = flag("--cluster", help="cluster for the context entry in kubeconfig")
    current: bool = flag("--current", kind="bool", help="Modify the current context")
    namespace: str = flag("-n", "--namespace", help="namespace for the context entry in kubeconfig")
    user: str = flag("--user", help="user for the context entry in kubeconfig")

    def validate(self) -> None:
        require_arguments(len(self.arguments) <= 1, self)

    def run(self) -> None:
        if self.arguments and self.current:
            raise CommandError("you cannot specify both a context name and --current")
        if not (self.arguments and self.arguments[0]) and not self.current:
            raise CommandError("you must specify a non-empty context name or --current")
        files = ConfigFiles(self.session)
        config = files.merged()
        name = config.current_context if self.current else self.arguments[0]
        if not name:
            raise CommandError("no current context is set")
        given = {"cluster": self.cluster, "user": self.user, "namespace": self.namespace}
        changes = {field: value for field, value in given.items() if field in self.session.changed}
        files.put("contexts", name, {**config.contexts.get(name, {}), **changes})
        self.session.print(f'Context "{name}" {"modified" if name in config.contexts else "created"}.')


class ConfigRenameContext(Command):
    """Renames a context from the kubeconfig file.

    If the context being renamed is the 'current-context', this field will also be updated.
    """

    name = "rename-context"
    usage = "CONTEXT_NAME NEW_NAME"
    examples = "  # Rename the context 'old-name' to 'new-name' in your kubeconfig file\n  kctl config rename-context old-name new-name\n"

    def validate(self) -> None:
        require_arguments(len(self.arguments) == 2, self)

    def run(self) -> None:
        old, new = self.arguments
        files = ConfigFiles(self.session)
        config = files.merged()
        path = files.default()
        if old not in config.contexts:
            raise CommandError(f'cannot rename the context "{old}", it\'s not in {path}')
        if new in config.contexts:
            raise CommandError(f'cannot rename the context "{old}", the context "{new}" already exists in {path}')
        files.put("contexts", new, config.contexts[old], config.origin.get(("contexts", old)))
        files.remove("contexts", old)
        if config.current_context == old:
            files.use(new)
        self.session.print(f'Context "{old}" renamed to "{new}".')


class ConfigDeleteContext(Command):
    """Delete the specified context from the kubeconfig."""

    name = "delete-context"
    usage = "NAME"
    examples = "  # Delete the context for the minikube cluster\n  kctl config delete-context minikube\n"

    def run(self) -> None:
        if len(self.arguments) != 1:
            self.print_help()
            return
        files = ConfigFiles(self.session)
        config = files.merged()
        name = self.arguments[0]
        if name not in config.contexts:
            raise CommandError(f"cannot delete context {name}, not in {files.default()}")
        if config.current_context == name:
            self.session.error('warning: this removed your active context, use "kctl config use-context" to select a different one')
        files.remove("contexts", name)
        self.session.print(f"deleted context {name} from {files.default()}")
