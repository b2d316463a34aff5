"""The program /agnhost: finds its subcommand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs.golang import Flag, UsageError, flags, quoted

Subcommand = Callable[[Process, Mapping[str, Flag], list[str]], "int | Run"]
_VERSION = "2.57"

_MODULES: Mapping[str, str] = {
    "files": "mounttest etc-hosts dns-suffix dns-server-list",
    "netexec": "netexec",
    "small": "pause serve-hostname liveness test-webserver porter fake-gitserver no-snat-test http-echo tcp-reset logs-generator stress",
    "guestbook": "guestbook",
    "testing": "nettest grpc-health-checking",
    "dialing": "connect port-forward-tester net resource-consumer",
}
_NOT_SIMULATED = (
    "audit-proxy",
    "crd-conversion-webhook",
    "external-metrics",
    "fake-metrics-server",
    "fake-registry-server",
    "h2c-server",
    "inclusterclient",
    "mtlsclient",
    "mtlsserver",
    "no-snat-test-proxy",
    "openidmetadata",
    "pod-certificate-signer",
    "resource-consumer-controller",
    "test-service-account-issuer-discovery",
    "webhook",
)


def main(process: Process) -> int | Run:
    words = process.argv[1:]
    name = words[0] if words else ""
    if name in ("--version", "version"):
        process.print(f"app version {_VERSION}\n")
        return 0
    if name == "entrypoint-tester":
        process.print(f"[{' '.join(process.argv)}]\n")
        return 0
    if name in _NOT_SIMULATED:
        raise NotInterpreted(f'"agnhost {name}"')
    module = next((module for module, names in _MODULES.items() if name in names.split()), None)
    if module is None:
        if name and not name.startswith("-") and name != "help":
            process.complain(f"Error: unknown command {quoted(name)} for {quoted('app')}\nRun 'app --help' for usage.\n")
        else:
            process.print("Usage:\n  app [command]\n")
        return 0
    subcommands = import_module(f"controllers.kubelet.commands.programs.agnhost.{module}")
    run: Subcommand = subcommands.SUBCOMMANDS[name]
    known: Mapping[str, Flag] = subcommands.FLAGS.get(name, {})
    short: Mapping[str, str] = subcommands.SHORT.get(name, {})
    try:
        values, arguments = flags(words[1:], known, short)
        if arguments and name != "connect" and name != "net":
            raise UsageError(f"unknown command {quoted(arguments[0])} for {quoted('app ' + name)}")
    except UsageError as wrong:
        process.complain(f"Error: {wrong}\nUsage:\n  app {name} [flags]\n\n{wrong}\n")
        return 0
    return run(process, values, arguments)
