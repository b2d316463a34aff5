"""The Authorization header of a kubeconfig user: token, token file, basic, or an exec plugin (client.authentication.k8s.io)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class CredentialError(Exception):
    """Credentials that cannot be obtained."""


def authorization(user: Mapping[str, Any]) -> str:
    """'' where the user has none (client certificates need none). Raises CredentialError."""
    if user.get("tokenFile"):
        try:
            return f"Bearer {Path(user['tokenFile']).read_text().strip()}"
        except OSError as error:
            why = (error.strerror or "").lower()
            raise CredentialError(f'failed to read token file "{user["tokenFile"]}": open {user["tokenFile"]}: {why}') from None
    if user.get("token"):
        return f"Bearer {user['token']}"
    if user.get("username"):
        import base64

        pair = f"{user['username']}:{user.get('password') or ''}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    if user.get("exec"):
        return f"Bearer {_from_plugin(user['exec'])}"
    if user.get("auth-provider"):
        raise CredentialError("auth-provider of kubeconfig users is not supported; use an exec plugin or a token")
    return ""


def _from_plugin(plugin: Mapping[str, Any]) -> str:
    """Run the plugin and take the token of the ExecCredential it prints."""
    import subprocess

    import orjson

    version = str(plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
    information = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = dict(os.environ) | {"KUBERNETES_EXEC_INFO": orjson.dumps(information).decode()}
    environment |= {str(variable["name"]): str(variable["value"]) for variable in plugin.get("env") or ()}
    command = str(plugin.get("command") or "")
    try:
        done = subprocess.run([command, *(plugin.get("args") or ())], env=environment, stdout=subprocess.PIPE, check=False, timeout=60)
    except FileNotFoundError:
        hint = str(plugin.get("installHint") or "")
        raise CredentialError(f"getting credentials: exec: executable {command} not found{': ' + hint if hint else ''}") from None
    if done.returncode != 0:
        raise CredentialError(f"getting credentials: exec: executable {command} failed with exit code {done.returncode}")
    try:
        token = (orjson.loads(done.stdout).get("status") or {}).get("token")
    except (orjson.JSONDecodeError, AttributeError):
        token = None
    if not token:
        raise CredentialError(f"getting credentials: exec plugin {command} didn't return a token")
    return str(token)
