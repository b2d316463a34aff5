"""Where an etcd cluster is and who asks it. Needs no gRPC, so that settings can be checked without it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from store.errors import StoreError

MOST_MEMBERS = 64


class WrongAddress(ValueError):
    """What was given for a store is no address of an etcd cluster."""


@dataclass(frozen=True, slots=True)
class Address:
    """Of a cluster: its members as host:port, PEM files for TLS, and the user to log in as. Files are those of kube-apiserver's flags
    --etcd-cafile, --etcd-certfile and --etcd-keyfile."""

    members: tuple[str, ...]
    tls: bool = False
    user: str = ""
    password: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    @classmethod
    def parse(cls, url: str, *, ca_file: str = "", certificate_file: str = "", key_file: str = "") -> Address:
        """From `etcd://[user:password@]host[:port],host[:port]`; `etcds://` speaks TLS, as does any address with files. Raises
        WrongAddress."""
        scheme, _, rest = url.partition("://")
        if scheme not in ("etcd", "etcds") or not rest:
            raise WrongAddress(f"invalid store {url!r:.200}: must be etcd://HOST:PORT[,HOST:PORT...] or etcds:// for TLS")
        if any(mark in rest for mark in "/?#") or rest.isspace():
            raise WrongAddress(f"invalid store {url!r:.200}: nothing may follow the members")
        credentials, _, listed = rest.rpartition("@")
        user, colon, password = credentials.partition(":")
        if bool(credentials) != bool(colon and user):
            raise WrongAddress("invalid store: user and password are written as USER:PASSWORD@ before the members")
        if bool(certificate_file) != bool(key_file):
            raise WrongAddress("--etcd-certfile and --etcd-keyfile belong together")
        members = tuple(_member(text, url) for text in listed.split(","))
        if len(members) > MOST_MEMBERS:
            raise WrongAddress(f"invalid store: {len(members)} members, at most {MOST_MEMBERS} are used")
        tls = scheme == "etcds" or bool(ca_file or certificate_file)
        return cls(members, tls, unquote(user), unquote(password), ca_file, certificate_file, key_file)

    def __str__(self) -> str:
        """Without the password."""
        user = f"{self.user}@" if self.user else ""
        return f"{'etcds' if self.tls else 'etcd'}://{user}{','.join(self.members)}"

    def pem_files(self) -> tuple[bytes | None, ...]:
        """Authorities, key and certificate, None where no file was given. Raises StoreError naming a file that cannot be read."""
        parts: list[bytes | None] = []
        for path in (self.ca_file, self.key_file, self.certificate_file):
            try:
                with open(path or "/dev/null", "rb") as file:
                    parts.append(file.read(1 << 20) or None)
            except OSError as error:
                raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        return tuple(parts)


def _member(text: str, url: str) -> str:
    try:
        parts = urlsplit(f"//{text}")
        port = 2379 if parts.port is None else parts.port
    except ValueError as error:
        raise WrongAddress(f"invalid store: member {text!r:.100}: {error}") from None
    host = parts.hostname
    if not host or any(character.isspace() for character in text) or not 0 < port < 65536:
        raise WrongAddress(f"invalid store {url!r:.200}: member {text!r:.100} is not HOST:PORT")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
