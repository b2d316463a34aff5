"""kctl logs."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError, plain
from kctl.cli.flags import flag
from kctl.cli.pods_of import chosen_container, pods_of
from kctl.cli.targets import fetch

_SELECTED_TAIL = 10
EXAMPLES = """
  # Return snapshot logs from pod nginx with only one container
  kctl logs nginx

  # Return snapshot logs from all containers in pods defined by label app=nginx
  kctl logs -l app=nginx --all-containers=true

  # Begin streaming the logs of the ruby container in pod web-1
  kctl logs -f -c ruby web-1

  # Display only the most recent 20 lines of output in pod nginx
  kctl logs --tail=20 nginx
"""


class Source(NamedTuple):
    """One container whose log is asked for."""

    namespace: str
    pod: str
    container: str


class Logs(Command):
    """Print the logs for a container in a pod or specified resource.

    If the pod has only one container, the container name is optional.
    """

    name = "logs"
    usage = "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]"
    examples = EXAMPLES

    container: str = flag("-c", "--container", help="Print the logs of this container")
    follow: bool = flag("-f", "--follow", kind="bool", help="Specify if the logs should be streamed.")
    previous: bool = flag(
        "-p",
        "--previous",
        kind="bool",
        help="If true, print the logs for the previous instance of the container in a pod if it exists.",
    )
    tail: int = flag(
        "--tail",
        kind="int",
        default=-1,
        help="Lines of recent log file to display. Defaults to -1 with no selector, showing all log lines otherwise 10, if a selector is provided.",
    )
    since: float = flag("--since", kind="duration", help="Only return logs newer than a relative duration like 5s, 2m, or 3h.")
    since_time: str = flag("--since-time", help="Only return logs after a specific date (RFC3339).")
    timestamps: bool = flag("--timestamps", kind="bool", help="Include timestamps on each line in the log output")
    all_containers: bool = flag("--all-containers", kind="bool", help="Get all containers' logs in the pod(s).")
    all_pods: bool = flag("--all-pods", kind="bool", help="Get logs from all pod(s). Sets prefix to true.")
    prefix: bool = flag("--prefix", kind="bool", help="Prefix each log line with the log source (pod name and container name)")
    limit_bytes: int = flag("--limit-bytes", kind="int", help="Maximum bytes of logs to return. Defaults to no limit.")
    max_log_requests: int = flag(
        "--max-log-requests",
        kind="int",
        default=5,
        help="Specify maximum number of concurrent logs to follow when using by a selector. Defaults to 5.",
    )
    ignore_errors: bool = flag(
        "--ignore-errors",
        kind="bool",
        help="If watching / following pod logs, allow for any errors that occur to be non-fatal",
    )
    insecure_skip_tls_verify_backend: bool = flag(
        "--insecure-skip-tls-verify-backend",
        kind="bool",
        help="Skip verifying the identity of the kubelet that logs are requested from.  In theory, an attacker could provide invalid log content back.",
    )
    pod_running_timeout: float = flag(
        "--pod-running-timeout",
        kind="duration",
        default=20.0,
        help="The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    )
    selector: str = options.selector()

    def complete(self) -> None:
        if len(self.arguments) == 2 and not self.container:
            self.container, self.arguments = self.arguments[1], self.arguments[:1]
        if self.selector and not self.changed("tail"):
            self.tail = _SELECTED_TAIL
        if self.all_pods:
            self.prefix = True

    def validate(self) -> None:
        if self.since and self.since_time:
            raise CommandError("at most one of `sinceTime` or `sinceSeconds` may be specified")
        if self.container and self.all_containers:
            raise CommandError("--all-containers=true should not be specified with container name " + self.container)
        if self.tail < -1:
            raise CommandError("--tail must be greater than or equal to -1")
        if self.limit_bytes < 0:
            raise CommandError("--limit-bytes must be greater than 0")
        if self.pod_running_timeout <= 0:
            raise CommandError("--pod-running-timeout must be higher than zero")
        if self.selector and self.arguments:
            raise UsageError("only a selector (-l) or a POD name is allowed")
        if not self.selector and len(self.arguments) != 1:
            raise UsageError("'logs (POD | TYPE/NAME) [CONTAINER_NAME]'.\nPOD or TYPE/NAME is a required argument for the logs command")

    def query(self, source: Source) -> dict[str, str]:
        query = {"container": source.container}
        for name, wanted in (("follow", self.follow), ("previous", self.previous), ("timestamps", self.timestamps)):
            if wanted:
                query[name] = "true"
        if self.tail >= 0:
            query["tailLines"] = str(self.tail)
        if self.since:
            query["sinceSeconds"] = str(int(-(-self.since // 1)))
        if self.since_time:
            query["sinceTime"] = self.since_time
        if self.limit_bytes:
            query["limitBytes"] = str(self.limit_bytes)
        if self.insecure_skip_tls_verify_backend:
            query["insecureSkipTLSVerifyBackend"] = "true"
        return query

    def sources(self, pod: Object) -> list[Source]:
        """The containers of a pod to read, with kubectl's note where it chooses one itself."""
        spec, space, name = objects.spec(pod), objects.namespace(pod), objects.name(pod)
        init = [listed["name"] for listed in spec.get("initContainers") or ()]
        main = [listed["name"] for listed in spec.get("containers") or ()]
        ephemeral = [listed["name"] for listed in spec.get("ephemeralContainers") or ()]
        if self.all_containers:
            return [Source(space, name, container) for container in (*init, *main, *ephemeral)]
        return [Source(space, name, chosen_container(pod, self.container, self.session.error))]

    async def run(self) -> None:
        pods = await _pods(self)
        if not pods:
            self.session.error(f"No resources found in {self.session.namespace} namespace.")
            return
        sources = [source for pod in pods for source in self.sources(pod)]
        if not self.follow or len(sources) == 1:
            for source in sources:
                await self._guarded(source)
            return
        if len(sources) > self.max_log_requests:
            raise CommandError(
                f"you are attempting to follow {len(sources)} log streams, but maximum allowed concurrency is "
                f"{self.max_log_requests}, use --max-log-requests to increase the limit"
            )
        await asyncio.gather(*(self._guarded(source) for source in sources))

    async def _guarded(self, source: Source) -> None:
        try:
            await self._copy(source)
        except ApiError as error:
            if not self.ignore_errors:
                raise
            self.session.error(f"error: {plain(error)}")

    async def _copy(self, source: Source) -> None:
        client = await self.session.client()
        out = self.session.streams.out
        prefix = f"[pod/{source.pod}/{source.container}] " if self.prefix else ""
        rest = ""
        async for chunk in await client.logs(source.pod, source.namespace, **self.query(source)):
            text = chunk.decode(errors="replace")
            if not prefix:
                out.write(text)
            else:
                *lines, rest = (rest + text).split("\n")
                out.write("".join(f"{prefix}{line}\n" for line in lines))
            out.flush()
        if rest:
            out.write(prefix + rest)


async def _pods(logs: Logs) -> list[Object]:
    session = logs.session
    builder = Builder(session, selector=logs.selector)
    if logs.selector:
        targets = await fetch(builder, Selection(PODS, session.namespace))
        return [target.object for target in targets]
    word = logs.arguments[0]
    try:
        if "/" not in word:
            return [await (await session.client()).get(PODS, word, session.namespace)]
        target = (await fetch(builder, (await builder.selections([word]))[0]))[0]
    except NotFound as error:
        raise CommandError(f'error from server (NotFound): {error.message} in namespace "{session.namespace}"') from None
    if target.resource is PODS:
        return [target.object]
    pods = await pods_of(session, target, logs.pod_running_timeout)
    if logs.all_pods or len(pods) == 1:
        return pods
    session.error(f"Found {len(pods)} pods, using pod/{objects.name(pods[0])}")
    return pods[:1]
