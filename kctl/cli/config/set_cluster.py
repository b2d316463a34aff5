"""kctl config set-cluster."""

from __future__ import annotations

import os

from kctl.cli.command import Command
from kctl.cli.config.files import ConfigFiles, require_arguments
from kctl.cli.config.view import read_base64
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

EXAMPLES = """
  # Set only the server field on the e2e cluster entry without touching other values
  kctl config set-cluster e2e --server=https://1.2.3.4

  # Embed certificate authority data for the e2e cluster entry
  kctl config set-cluster e2e --embed-certs --certificate-authority=ca.crt
"""


class ConfigSetCluster(Command):
    """Set a cluster entry in kubeconfig.

    Specifying a name that already exists will merge new fields on top of existing values for those fields.
    """

    name = "set-cluster"
    usage = "NAME [--server=server] [--certificate-authority=path/to/certificate/authority] "
    "[--insecure-skip-tls-verify=true] [--tls-server-name=example.com]"
    examples = EXAMPLES

    certificate_authority: str = flag(
        "--certificate-authority", help="Path to certificate-authority file for the cluster entry in kubeconfig"
    )
    embed_certs: bool = flag("--embed-certs", kind="bool", help="embed-certs for the cluster entry in kubeconfig")
    insecure_skip_tls_verify: bool = flag(
        "--insecure-skip-tls-verify", kind="bool", help="insecure-skip-tls-verify for the cluster entry in kubeconfig"
    )
    proxy_url: str = flag("--proxy-url", help="proxy-url for the cluster entry in kubeconfig")
    server: str = flag("--server", help="server for the cluster entry in kubeconfig")
    tls_server_name: str = flag("--tls-server-name", help="tls-server-name for the cluster entry in kubeconfig")

    def validate(self) -> None:
        require_arguments(len(self.arguments) == 1, self)

    def run(self) -> None:
        changed = self.session.changed
        if self.insecure_skip_tls_verify and self.certificate_authority:
            raise CommandError("you cannot specify a certificate authority and insecure mode at the same time")
        if self.embed_certs:
            if not self.certificate_authority:
                raise CommandError("you must specify a --certificate-authority to embed")
            require(self.certificate_authority, "certificate-authority")
        files = ConfigFiles(self.session)
        cluster = dict(files.merged().clusters.get(self.arguments[0], {}))
        if "server" in changed:
            cluster |= {"server": self.server, "tls-server-name": ""}
        if "tls_server_name" in changed:
            cluster["tls-server-name"] = self.tls_server_name
        cluster["insecure-skip-tls-verify"] = self.insecure_skip_tls_verify  # kubectl does not keep it
        if self.insecure_skip_tls_verify:
            cluster |= {"certificate-authority": "", "certificate-authority-data": ""}
        if "certificate_authority" in changed:
            path = os.path.abspath(self.certificate_authority) if self.certificate_authority else ""
            if self.embed_certs:
                cluster |= {"certificate-authority": "", "certificate-authority-data": read_base64(path)}
            else:
                cluster["certificate-authority"] = path
                if path:
                    cluster |= {"insecure-skip-tls-verify": False, "certificate-authority-data": ""}
        if "proxy_url" in changed:
            cluster["proxy-url"] = self.proxy_url
        files.put("clusters", self.arguments[0], cluster)
        self.session.print(f'Cluster "{self.arguments[0]}" set.')


def require(path: str, what: str) -> None:
    try:
        os.stat(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"could not stat {what} file {path}: stat {path}: {reason}") from None
