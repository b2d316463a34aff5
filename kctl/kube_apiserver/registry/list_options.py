"""metav1.ListOptions from URL parameters, selectors included, checked as apimachinery's internalversion validation does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from kctl.apimachinery import fields, go_numbers, labels
from kctl.apimachinery.bounds import cache_short
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.field_errors import FieldError, forbidden, unsupported
from kctl.apimachinery.status import ApiError, BadRequest, invalid

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


@dataclass(slots=True)
class ListOptions:
    """`revision` is 0 for '' and for '0'; `revision_given` tells them apart."""

    watch: bool = False
    limit: int = 0
    continue_token: str = ""
    revision: int = 0
    revision_given: bool = False
    match: str = ""
    timeout_seconds: int | None = None
    allow_bookmarks: bool = False
    send_initial_events: bool | None = None
    ends_with_history: bool = False
    """kctl's own `kctl.dev/until=now`: a watch that tells what has happened and then ends. Other API servers do not know it."""
    label_selector: labels.Selector | None = None
    field_selector: fields.FieldSelector | None = None
    """None where there is none; whether its fields exist hangs on the kind (selection.py)."""

    @property
    def exact(self) -> bool:
        return self.match == "Exact"


UNTIL = "kctl.dev/until"
_DEFAULT, _DEFAULT_WATCH = ListOptions(), ListOptions(watch=True)
_parse_labels = cache_short(maxsize=512, longest=1024)(labels.parse)
_parse_fields = cache_short(maxsize=512, longest=1024)(fields.parse)
_LONG = 8 * 1024
"""Characters of selectors from which on parsing them may take more than a few milliseconds."""


def parse_int(text: str) -> int:
    try:
        return go_numbers.parse_int(text)
    except go_numbers.GoNumberError as error:
        raise BadRequest(str(error)) from None


def parse_bool(text: str) -> bool:
    """As Go's url conversion: '' and anything unknown but '0' and 'false' is true."""
    return text.lower() not in ("false", "0")


def parse(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Raises BadRequest for numbers and selectors that are none, Invalid for combinations that make no sense."""
    if not query:
        return _DEFAULT_WATCH if watch else _DEFAULT
    options = ListOptions(watch=watch)
    if text := query.get("limit"):
        options.limit = max(parse_int(text), 0)
    if text := query.get("timeoutSeconds"):
        options.timeout_seconds = parse_int(text)
    options.continue_token = query.get("continue", "")
    options.match = query.get("resourceVersionMatch", "")
    options.allow_bookmarks = "allowWatchBookmarks" in query and parse_bool(query["allowWatchBookmarks"])
    if "sendInitialEvents" in query:
        options.send_initial_events = parse_bool(query["sendInitialEvents"])
    if UNTIL in query:
        options.ends_with_history = query[UNTIL] == "now"
    if text := query.get("labelSelector"):
        options.label_selector = _parse_labels(text)
    if text := query.get("fieldSelector"):
        options.field_selector = _parse_fields(text)
    revision = query.get("resourceVersion", "")
    options.revision_given = revision != ""
    _validate(options, revision)
    options.revision = _revision(revision, watch)
    if options.continue_token and not watch and revision not in ("", "0"):
        raise BadRequest("specifying resource version is not allowed when using continue")
    return options


async def parse_beside(clock: Clock, query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """As `parse`; long selectors are read beside the event loop, while others have their turn."""
    if len(query.get("labelSelector", "")) + len(query.get("fieldSelector", "")) < _LONG:
        return parse(query, watch=watch)
    return await clock.beside(partial(parse, query, watch=watch))


def _revision(text: str, watch: bool) -> int:
    if not text:
        return 0
    try:
        return go_numbers.parse_uint(text)
    except go_numbers.GoNumberError as error:
        why = f'resourceVersion: Invalid value: "{text}": {error}'
        raise (ApiError(why, code=500) if watch else BadRequest(f"invalid resource version: {why}")) from None


def _validate(options: ListOptions, revision: str) -> None:
    errors = _watch_errors(options) if options.watch else _list_errors(options, revision)
    if errors:
        raise invalid("meta.k8s.io", "ListOptions", "", errors)


def _watch_errors(options: ListOptions) -> list[FieldError]:
    errors: list[FieldError] = []
    if options.send_initial_events is not None:
        if options.match != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            errors.append(forbidden("resourceVersionMatch", why))
    elif options.match:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(forbidden("resourceVersionMatch", why))
    return errors


def _list_errors(options: ListOptions, revision: str) -> list[FieldError]:
    errors: list[FieldError] = []
    match = options.match
    if match:
        if not revision:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            errors.append(forbidden("resourceVersionMatch", why))
        if options.continue_token:
            why = "resourceVersionMatch is forbidden when continue is provided"
            errors.append(forbidden("resourceVersionMatch", why))
        if match not in ("Exact", "NotOlderThan"):
            errors.append(unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and revision == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            errors.append(forbidden("resourceVersionMatch", why))
    if options.send_initial_events is not None:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors
