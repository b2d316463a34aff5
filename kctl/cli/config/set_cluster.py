"""kctl config set-cluster."""

from __future__ import annotations

import os

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.config.files import ConfigFiles, show_usage
from kctl.cli.config.view import read_base64
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

EXAMPLES = """
  # Set only the server field on the e2e cluster entry without touching other values
  kctl config set-cluster e2e --server=https://1.2.3.4

  # Embed certificate authority data for the e2e cluster entry
  kctl config set-cluster e2e --embed-certs --certificate-authority=ca.crt
"""


@click.command(
    "set-cluster",
    cls=KubectlCommand,
    short_help="Set a cluster entry in kubeconfig",
    examples=EXAMPLES,
    usage="NAME [--server=server] [--certificate-authority=path/to/certificate/authority] "
    "[--insecure-skip-tls-verify=true] [--tls-server-name=example.com]",
)
@flag("--certificate-authority", help="Path to certificate-authority file for the cluster entry in kubeconfig")
@flag("--embed-certs", kind="bool", help="embed-certs for the cluster entry in kubeconfig")
@flag("--insecure-skip-tls-verify", kind="bool", help="insecure-skip-tls-verify for the cluster entry in kubeconfig")
@flag("--proxy-url", help="proxy-url for the cluster entry in kubeconfig")
@flag("--server", help="server for the cluster entry in kubeconfig")
@flag("--tls-server-name", help="tls-server-name for the cluster entry in kubeconfig")
def command(
    session: Session,
    arguments: tuple[str, ...],
    certificate_authority: str,
    embed_certs: bool,
    insecure_skip_tls_verify: bool,
    proxy_url: str,
    server: str,
    tls_server_name: str,
) -> None:
    """Set a cluster entry in kubeconfig.

    Specifying a name that already exists will merge new fields on top of existing values for those fields.
    """
    show_usage(len(arguments) == 1, arguments)
    changed = session.changed
    if insecure_skip_tls_verify and certificate_authority:
        raise CommandError("you cannot specify a certificate authority and insecure mode at the same time")
    if embed_certs:
        if not certificate_authority:
            raise CommandError("you must specify a --certificate-authority to embed")
        require(certificate_authority, "certificate-authority")
    files = ConfigFiles(session)
    entry = dict(files.merged().clusters.get(arguments[0], {}))
    if "server" in changed:
        entry |= {"server": server, "tls-server-name": ""}
    if "tls_server_name" in changed:
        entry["tls-server-name"] = tls_server_name
    entry["insecure-skip-tls-verify"] = insecure_skip_tls_verify  # kubectl does not keep it
    if insecure_skip_tls_verify:
        entry |= {"certificate-authority": "", "certificate-authority-data": ""}
    if "certificate_authority" in changed:
        path = os.path.abspath(certificate_authority) if certificate_authority else ""
        if embed_certs:
            entry |= {"certificate-authority": "", "certificate-authority-data": read_base64(path)}
        else:
            entry["certificate-authority"] = path
            if path:
                entry |= {"insecure-skip-tls-verify": False, "certificate-authority-data": ""}
    if "proxy_url" in changed:
        entry["proxy-url"] = proxy_url
    files.put("clusters", arguments[0], entry)
    session.print(f'Cluster "{arguments[0]}" set.')


def require(path: str, what: str) -> None:
    try:
        os.stat(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"could not stat {what} file {path}: stat {path}: {reason}") from None
