"""An AllocationResult: which devices a claim got, with what configuration, and which nodes have them. Pure but for the names of shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from controllers.kube_scheduler.devices.requests import Alternative
from controllers.runtime.device_pools import Device
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A device for a request. `share`: how much of each capacity, where others may have the rest."""

    alternative: Alternative
    device: Device
    share: Mapping[str, Fraction]


def allocation(claim: Object, requests: Sequence[Sequence[Alternative]], chosen: Sequence[Chosen], share_id: Callable[[], str]) -> Object:
    used = [_used(alternatives, chosen) for alternatives in requests]
    devices: Object = {"results": [_result(each, share_id) for each in chosen]}
    config = [*_of_classes(used), *_of_claim(claim, [each.name for each in used if each is not None])]
    if config:
        devices["config"] = [_for_all(each, len(requests)) for each in config]
    found: Object = {"devices": devices}
    selector = _node_selector(chosen)
    if selector is not None:
        found["nodeSelector"] = selector
    return found


def _used(alternatives: Sequence[Alternative], chosen: Sequence[Chosen]) -> Alternative | None:
    taken = {id(each.alternative) for each in chosen}
    return next((each for each in alternatives if id(each) in taken), None)


def _result(chosen: Chosen, share_id: Callable[[], str]) -> Object:
    identity, detail = chosen.device.id, chosen.alternative.detail
    result: Object = {"request": chosen.alternative.name, "driver": identity.driver, "pool": identity.pool, "device": identity.device}
    for name in ("adminAccess", "tolerations"):
        if detail.get(name):
            result[name] = detail[name]
    if chosen.device.is_shared and not chosen.alternative.admin_access:
        result["shareID"] = share_id()
        result["consumedCapacity"] = {name: quantity.format_quantity(amount, "BinarySI") for name, amount in chosen.share.items()}
    return result


def _of_classes(used: Sequence[Alternative | None]) -> list[Object]:
    """The configuration of each class once, for all requests that have the class."""
    found: dict[str, list[Object]] = {}
    for each in used:
        if each is None:
            continue
        name = objects.name(each.device_class)
        if name in found:
            for entry in found[name]:
                entry["requests"].append(each.name)
            continue
        configs = objects.spec(each.device_class).get("config") or ()
        found[name] = [{"source": "FromClass", "requests": [each.name], **config} for config in configs]
    return [entry for entries in found.values() for entry in entries]


def _of_claim(claim: Object, used: Sequence[str]) -> list[Object]:
    """What is meant for a request, or subrequest, that was met; or for all."""
    known = {name for full_name in used for name in (full_name, full_name.partition("/")[0])}
    found = []
    for config in (objects.spec(claim).get("devices") or {}).get("config") or ():
        if not config.get("requests") or known & set(config["requests"]):
            found.append({"source": "FromClaim", **config})
    return found


def _for_all(entry: Object, count: int) -> Object:
    """Without names where it is for every request."""
    if len(entry.get("requests") or ()) != count:
        return entry
    return {name: value for name, value in entry.items() if name != "requests"}


def _node_selector(chosen: Sequence[Chosen]) -> Object | None:
    """The node of a device that only one has; else all that the devices' selectors ask for together; None where every node has them."""
    expressions: list[Object] = []
    fields: list[Object] = []
    for each in chosen:
        place = each.device.place
        if place.get("nodeName"):
            return {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [place["nodeName"]]}]}]}
        for term in (place.get("nodeSelector") or {}).get("nodeSelectorTerms") or ():
            expressions += [wanted for wanted in term.get("matchExpressions") or () if wanted not in expressions]
            fields += [wanted for wanted in term.get("matchFields") or () if wanted not in fields]
    if not expressions and not fields:
        return None
    term = {"matchExpressions": expressions, "matchFields": fields}
    return {"nodeSelectorTerms": [{name: wanted for name, wanted in term.items() if wanted}]}
