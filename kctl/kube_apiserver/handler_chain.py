"""The way of every request, in-process and over HTTPS: the only place that orders the filters.

Each filter is `with_<name>(handler, ...) -> handler`. Read from the bottom: the last one wrapped is the first to see a request.
Places kept for what is to come are named where they belong. In-process requests pass the same filters as those over HTTPS; a filter
that has nothing to do with a request passes on the next handler's awaitable, so that it costs no coroutine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.kube_apiserver.filters.authorization import with_authorization
from kctl.kube_apiserver.filters.deadline import with_deadline
from kctl.kube_apiserver.filters.request_log import with_request_log
from kctl.kube_apiserver.filters.warnings import with_warnings
from kctl.kube_apiserver.request import Handler

if TYPE_CHECKING:
    from kctl.apimachinery.clock import Clock
    from kctl.kube_apiserver.authorization.authorization import Authorization
    from kctl.kube_apiserver.config import ApiServerConfig
    from kctl.kube_apiserver.filters.audit import Auditing
    from kctl.kube_apiserver.filters.max_in_flight import InFlight
    from kctl.kube_apiserver.metrics import Metrics
    from kctl.kube_apiserver.server_parts import ServerParts
    from kctl.kube_apiserver.storage import Storage


def build_handler_chain(
    handler: Handler,
    parts: ServerParts,
    metrics: Metrics,
    in_flight: InFlight,
    storage: Storage,
    clock: Clock,
    audit: Auditing | None = None,
) -> Handler:
    """For requests that come over HTTPS, taken apart already (request_info.py): first find out by whom, then as in-process."""
    # what the first refusal and the first node would import on the event loop
    import kctl.kube_apiserver.authorization.forbidden
    import kctl.kube_apiserver.authorization.node.graph
    import kctl.kube_apiserver.filters.request_attributes  # noqa: F401
    from kctl.kube_apiserver.filters.authentication import with_authentication
    from kctl.kube_apiserver.filters.impersonation import with_impersonation
    from kctl.kube_apiserver.filters.max_in_flight import Bodies, with_body, with_max_in_flight
    from kctl.kube_apiserver.filters.panic_recovery import with_panic_recovery

    if audit is not None:
        handler = audit.noted(handler)
    handler = with_body(handler, Bodies())
    handler = _shared(handler, parts.config, parts.authorization, storage, clock, audit)
    # it must know as whom one asks: administrators are not limited
    handler = with_max_in_flight(handler, in_flight)
    handler = with_impersonation(handler, parts.authorization)
    # who really asks decides how closely a request is logged
    if audit is not None:
        handler = audit.around(handler)
    # wrong credentials end here; none make the caller system:anonymous
    handler = with_authentication(handler, parts.authenticator, parts.config, clock)
    if audit is not None:
        handler = audit.refused(handler)
    # failures become answers here, so the log sees the status
    handler = with_panic_recovery(handler)
    return with_request_log(handler, metrics)


def build_in_process_chain(
    handler: Handler,
    metrics: Metrics,
    config: ApiServerConfig,
    authorization: Authorization,
    storage: Storage,
    clock: Clock,
    audit: Auditing | None = None,
) -> Handler:
    """For components of this daemon and embedded commands: they are who they say, and their requests are already taken apart."""
    if audit is not None:
        handler = audit.noted(handler)
    handler = _shared(handler, config, authorization, storage, clock, audit)
    if audit is not None:
        handler = audit.around(handler)
    return with_request_log(handler, metrics)


def _shared(
    handler: Handler, config: ApiServerConfig, authorization: Authorization, storage: Storage, clock: Clock, audit: Auditing | None
) -> Handler:
    """What every request passes, whoever sends it. Each of these returns at once what it has nothing to do with."""
    handler = with_warnings(handler, config)
    handler = with_authorization(handler, authorization)
    if audit is not None:
        handler = audit.decided(handler)
    if storage.shared:
        from kctl.kube_apiserver.filters.up_to_date import with_up_to_date_caches

        handler = with_up_to_date_caches(handler, storage)
    return with_deadline(handler, clock)
