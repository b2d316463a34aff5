"""What `kctl run-cluster` does to its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_AUTHORITIES_READ = """
import os, ssl, sys
read = []
original = ssl.SSLContext.load_default_certs
def load_default_certs(self, *arguments, **options):
    read.append(os.environ.get("SSL_CERT_FILE"))
    return original(self, *arguments, **options)
ssl.SSLContext.load_default_certs = load_default_certs
from kctl.daemon import process_tuning
process_tuning.load_http_server()
assert "aiohttp" in sys.modules
print(*read, sep=",")
print(os.environ.get("SSL_CERT_FILE", "unset"))
"""


def _run(**environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", _AUTHORITIES_READ]
    done = subprocess.run(command, cwd=root, env={**kept, **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_loading_the_http_server_reads_no_certificate_authorities() -> None:
    read, chosen = _run()
    assert set(read.split(",")) <= {os.devnull, ""}
    assert chosen == "unset"


def test_the_certificate_authorities_a_user_chose_are_the_process_s_again_afterwards() -> None:
    assert _run(SSL_CERT_FILE="/somewhere/ca.pem")[1] == "/somewhere/ca.pem"
