"""The Accept header: which media type an answer is in, and whether as the object, a Table or metadata only."""

from __future__ import annotations

from dataclasses import dataclass

from kctl.apimachinery.bounds import cache_short
from kctl.apimachinery.status import NotAcceptable

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
_KNOWN = (JSON, YAML, PROTOBUF)
_STREAMS = f"{JSON};stream=watch, {PROTOBUF};stream=watch"
STREAMED = (JSON, PROTOBUF)
"""What a watch can be encoded in."""
ONLY_STREAMS = f"only the following media types are accepted: {_STREAMS}"
ONLY = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"


@dataclass(frozen=True, slots=True)
class MediaType:
    """`target`: '' (the object), Table, PartialObjectMetadata, PartialObjectMetadataList; `target_version` v1 or v1beta1.
    Protobuf answers are not made: where it is the only choice we still answer JSON."""

    name: str = JSON
    target: str = ""
    target_version: str = ""
    pretty: bool = False


DEFAULT = MediaType()
_MOST_OFFERS = 1000
_MOST_PARAMETERS = 100
"""Of one offer, its name included."""


def offers(accept: str) -> list[str]:
    """Of an Accept header, with their parameters; of very many the first."""
    return accept.split(",", _MOST_OFFERS)[:_MOST_OFFERS]


@cache_short(maxsize=512)
def negotiate(accept: str, streams: bool = False) -> MediaType:
    """The best acceptable type. `streams`: the collection can be watched, which the refusal then mentions.
    Raises NotAcceptable."""
    if not accept.strip():
        return DEFAULT
    clauses = sorted((_clause(text) for text in offers(accept)), key=lambda clause: -clause[2])
    refused_target = False
    for name, parameters, _ in clauses:
        if name == "*/*":
            name = JSON
        if name not in _KNOWN:
            continue
        target, version = parameters.get("as", ""), parameters.get("v", "")
        if target and not _offered(target, version, parameters.get("g", "")):
            refused_target = True
            continue
        return MediaType(JSON if name == PROTOBUF else name, target, version, parameters.get("pretty") == "1")
    if refused_target:
        raise NotAcceptable(ONLY)
    shown = ", ".join(_KNOWN) + (f", {_STREAMS}" if streams else "")
    error = NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {shown}")
    code = error.status.pop("code")
    error.status |= {"details": {}, "code": code}
    raise error


def _clause(text: str) -> tuple[str, dict[str, str], float]:
    name, *rest = (part.strip() for part in text.split(";", _MOST_PARAMETERS)[:_MOST_PARAMETERS])
    parameters = dict(part.partition("=")[::2] for part in rest if part)
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    return name.lower(), parameters, quality


def _offered(target: str, version: str, group: str) -> bool:
    if target in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
        return group == "meta.k8s.io" and version in ("v1", "v1beta1")
    return target in ("APIGroupDiscoveryList",)
