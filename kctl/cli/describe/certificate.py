"""`kctl describe csr`: who asks for which certificate."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.values import joined_pairs, long_time
from kctl.cli.describe.writer import Writer
from kctl.cli.errors import CommandError
from kctl.client.client import Client

_SUBJECT = (
    ("Organization", "2.5.4.10"),
    ("Organizational Unit", "2.5.4.11"),
    ("Country", "2.5.4.6"),
    ("Locality", "2.5.4.7"),
    ("Province", "2.5.4.8"),
    ("StreetAddress", "2.5.4.9"),
    ("PostalCode", "2.5.4.17"),
)


async def describe_signing_request(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec = objects.metadata(obj), objects.spec(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Labels:\t{joined_pairs(meta.get('labels'))}")
    out.line(0, f"Annotations:\t{joined_pairs(meta.get('annotations'))}")
    out.line(0, f"CreationTimestamp:\t{long_time(meta.get('creationTimestamp'))}")
    out.line(0, f"Requesting User:\t{spec.get('username', '')}")
    if spec.get("signerName"):
        out.line(0, f"Signer:\t{spec['signerName']}")
    if spec.get("expirationSeconds") is not None:
        lasts = times.human_duration(timedelta(seconds=spec["expirationSeconds"]))
        out.line(0, f"Requested Duration:\t{lasts}")
    out.line(0, f"Status:\t{_status(objects.status(obj))}")
    _request(out, str(spec.get("request") or ""))
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _status(status: Object) -> str:
    """Pending, or what was decided, and whether the certificate is there."""
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    decided = "Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"
    if "Failed" in types:
        decided += ",Failed"
    return decided + (",Issued" if status.get("certificate") else "")


def _request(out: Writer, encoded: str) -> None:
    from cryptography import x509

    try:
        request = x509.load_pem_x509_csr(base64.b64decode(encoded))
    except ValueError as error:
        raise CommandError(f"Error parsing CSR: {error}") from None

    def values(oid: str) -> list[str]:
        return [str(attribute.value) for attribute in request.subject if attribute.oid.dotted_string == oid]

    out.line(0, "Subject:")
    out.line(0, f"\tCommon Name:\t{''.join(values('2.5.4.3')[-1:])}")
    out.line(0, f"\tSerial Number:\t{''.join(values('2.5.4.5')[-1:])}")
    for title, oid in _SUBJECT:
        _list(out, title, values(oid))
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    out.line(0, "Subject Alternative Names:")
    _list(out, "DNS Names", names.get_values_for_type(x509.DNSName))
    _list(out, "Email Addresses", names.get_values_for_type(x509.RFC822Name))
    _list(out, "URIs", names.get_values_for_type(x509.UniformResourceIdentifier))
    _list(out, "IP Addresses", [str(address) for address in names.get_values_for_type(x509.IPAddress)])


def _list(out: Writer, title: str, values: Sequence[str]) -> None:
    for number, value in enumerate(values):
        out.line(0, f"\t{title if not number else ''}{':' if not number else ''}\t{value}")
