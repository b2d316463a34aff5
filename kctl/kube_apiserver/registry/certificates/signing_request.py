"""CertificateSigningRequests: who asks is recorded by the server; /approval and /status may each change their own conditions."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

MIN_SECONDS = 600
_DECISIONS = ("Approved", "Denied")
_PEM = re.compile(r"-----BEGIN ([^-\n]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)
_SEQUENCE = 0x30
_PARAMETERS = (
    "{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 "
    "set:false omitEmpty:false}"
)
USAGES = frozenset(
    {
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    }
)


class SigningRequestStrategy(Strategy):
    has_generation = False
    selectable_fields = {"spec.signerName": lambda obj: str(objects.spec(obj).get("signerName") or "")}

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        for name in ("username", "uid", "groups", "extra"):
            spec.pop(name, None)
        user = context.user
        spec["username"] = user.name
        if user.uid:
            spec["uid"] = user.uid
        if user.groups:
            spec["groups"] = list(user.groups)
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra.items()}
        obj["status"] = {}

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        obj["spec"] = old["spec"]
        before, status = objects.status(old), obj.get("status") or {}
        if context.subresource == "approval":
            status = {**before, "conditions": status.get("conditions") or []}
            obj["status"] = status if status["conditions"] else {k: v for k, v in status.items() if k != "conditions"}
        elif context.subresource != "status":
            obj["status"] = before
            return
        _stamp(context, obj, before)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = _request(spec.get("request"))
        usages = spec.get("usages") or []
        if not usages:
            errors.append(field_errors.required("spec.usages"))
        for index, usage in enumerate(usages):
            errors += field_checks.enum(f"spec.usages[{index}]", usage, sorted(USAGES))
        errors += field_checks.unique("spec.usages", usages)
        signer = spec.get("signerName") or ""
        if signer == "kubernetes.io/legacy-unknown":
            why = "the legacy signerName is not allowed via this API version"
            errors.append(field_errors.invalid("spec.signerName", signer, why))
        else:
            errors += signer_name("spec.signerName", signer)
        seconds = spec.get("expirationSeconds")
        if seconds is not None and seconds < MIN_SECONDS:
            why = "may not specify a duration less than 600 seconds (10 minutes)"
            errors.append(field_errors.invalid("spec.expirationSeconds", seconds, why))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if context.subresource == "approval":
            return _kept(obj, old, ("Failed",)) + _conditions(obj)
        return _kept(obj, old, (*_DECISIONS, "Failed")) if context.subresource == "" else []

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return _kept(obj, old, _DECISIONS) + _conditions(obj)


def signer_name(path: str, name: str) -> list[FieldError]:
    """domain/path, as in kubernetes.io/kube-apiserver-client."""
    if not name:
        return [field_errors.required(path)]
    parts = name.split("/")
    if len(parts) != 2:
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [field_errors.invalid(path, name, why)]
    domain, rest = parts
    errors = [field_errors.invalid(path, domain, problem) for problem in names.dns1123_subdomain(domain)]
    if "." not in domain:
        errors.append(field_errors.invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    problems = [problem for step in rest.split(".") for problem in names.dns1123_label(step)] if rest else [names.LABEL_RULE]
    return errors + [field_errors.invalid(path, rest, problem) for problem in problems]


def _request(request: str | None) -> list[FieldError]:
    problem = _request_problem(request or "")
    return [field_errors.invalid("spec.request", request, problem)] if problem else []


def _request_problem(request: str) -> str:
    """A PEM block of the right type holding one ASN.1 sequence; what is in that is not looked at."""
    block = _PEM.search(field_checks.base64_text(request))
    if block is None or block.group(1) != "CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        data = base64.b64decode("".join(block.group(2).split()), validate=True)
    except (binascii.Error, ValueError):
        return "PEM block type must be CERTIFICATE REQUEST"
    if len(data) < 2:
        return "asn1: syntax error: sequence truncated" if not data else "asn1: syntax error: truncated tag or length"
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if data[0] != _SEQUENCE:
        given = f"{{class:{data[0] >> 6} tag:{data[0] & 31} length:{size} isCompound:{str(bool(data[0] & 32)).lower()}}}"
        return f"asn1: structure error: tags don't match (16 vs {given}) {_PARAMETERS} certificateRequest @{start}"
    if start + size > len(data):
        return "asn1: syntax error: data truncated"
    return "asn1: syntax error: trailing data" if start + size < len(data) else ""


def _by_type(obj: Object, kind: str) -> list[dict[str, Any]]:
    of_kind = [c for c in objects.status(obj).get("conditions") or () if c.get("type") == kind]
    return [{k: v for k, v in condition.items() if k != "lastUpdateTime"} for condition in of_kind]


def _kept(obj: Object, old: Object, kinds: tuple[str, ...]) -> list[FieldError]:
    """Conditions another subresource owns may not be added, changed or removed."""
    errors: list[FieldError] = []
    for kind in kinds:
        new, before = _by_type(obj, kind), _by_type(old, kind)
        if new == before:
            continue
        verb = "add" if not before else "remove" if not new else "modify"
        errors.append(field_errors.forbidden("status.conditions", f'updates may not {verb} a condition of type "{kind}"'))
    return errors


def _conditions(obj: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    conditions = objects.status(obj).get("conditions") or []
    kinds = [condition.get("type") or "" for condition in conditions]
    again, decided = list(field_checks.repeated(kinds)), set[str]()
    for index, condition in enumerate(conditions):
        path, kind = f"status.conditions[{index}]", kinds[index]
        if not kind:
            errors.append(field_errors.required(f"{path}.type"))
        if not condition.get("status"):
            errors.append(field_errors.required(f"{path}.status"))
        elif kind in (*_DECISIONS, "Failed") and condition["status"] != "True":
            errors.append(field_errors.unsupported(f"{path}.status", condition["status"], ("True",)))
        if again[index]:
            errors.append(field_errors.duplicate(f"{path}.type", kind))
        if kind in _DECISIONS:
            decided.add(kind)
        if kind in _DECISIONS and decided == set(_DECISIONS):
            errors.append(field_errors.invalid(f"{path}.type", kind, "Approved and Denied conditions are mutually exclusive"))
    return errors


def _stamp(context: Context, obj: Object, before: dict[str, Any]) -> None:
    """Times of conditions the caller left out."""
    now, known = times.rfc3339(context.now), {c.get("type"): c for c in before.get("conditions") or ()}
    conditions = (obj.get("status") or {}).get("conditions")
    if not conditions:
        return
    stamped = []
    for condition in conditions:
        earlier = known.get(condition.get("type"))
        moved = earlier is None or earlier.get("status") != condition.get("status")
        then = now if moved or earlier is None else earlier.get("lastTransitionTime")
        added = {"lastTransitionTime": condition.get("lastTransitionTime") or then}
        added["lastUpdateTime"] = condition.get("lastUpdateTime") or now
        stamped.append({**condition, **added})
    obj["status"] = {**obj["status"], "conditions": stamped}


STRATEGY = SigningRequestStrategy()
