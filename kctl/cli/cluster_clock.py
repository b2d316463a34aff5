"""`kctl cluster clock`: show and steer the time of a running cluster (docs/time.md), through the same connection as every other command."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from kctl.cli.errors import CommandError
from kctl.cli.terminal import Progress

if TYPE_CHECKING:
    from kctl.cli.session import Session
    from kctl.client.client import Client

PATH = "/kctl.dev/clock"
_LOOK_SECONDS = 0.5


@click.group("clock", short_help="Show and steer the time of a cluster", invoke_without_command=True)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output format.")
@click.pass_context
def clock(context: click.Context, output: str) -> None:
    """Show a running cluster's time, how fast it passes, and whether it stands still. The commands below steer it: back-offs, CronJobs,
    time limits and everything else that waits in the cluster then comes sooner, or not at all."""
    if context.invoked_subcommand is None:
        _run(context.obj, lambda client: _show(client, output))


def _run(session: Session, work: Callable[[Client], Awaitable[None]], *, blocking: bool = True) -> None:
    async def run() -> None:
        client = await session.client()
        if session.embedded:
            raise CommandError("the cluster is stopped, and its time with it: start it with kctl run-cluster")
        await work(client)

    session.run(run(), blocking=blocking)


async def _ask(client: Client, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """The state of the clock, after what is wanted. Raises ApiError, CommandError."""
    from kctl.apimachinery.status import from_status

    body = None if wanted is None else json.dumps(wanted).encode()
    answer = await client.transport.raw("GET" if wanted is None else "PUT", PATH, body=body)
    try:
        last: dict[str, Any] = json.loads(answer.body.splitlines()[-1])
    except (ValueError, IndexError):
        last = {}
    if answer.status >= 400 and last.get("kind") != "Status":
        raise CommandError(f"the server has no clock to steer (it answered {answer.status}): it is not a kctl cluster, or an older one")
    if last.get("kind") == "Status":
        raise from_status(last)
    return last


def _words(state: dict[str, Any]) -> str:
    """2026-01-01T00:00:00Z, 60 times as fast"""
    speed = float(state["speed"])
    course = "paused" if state["paused"] else "" if speed == 1 else f"{speed:g} times as fast"
    left = f"{state['step']} of a step are left" if "step" in state else ""
    return ", ".join(word for word in (str(state["time"])[:19] + "Z", course, left) if word)


async def _show(client: Client, output: str) -> None:
    state = await _ask(client)
    if output == "json":
        click.echo(json.dumps(state, indent=2))
        return
    click.echo(f"time:    {state['time'][:19]}Z")
    click.echo(f"speed:   {float(state['speed']):g}")
    click.echo(f"paused:  {'yes' if state['paused'] else 'no'}")
    if "step" in state:
        click.echo(f"step:    {state['step']} to go")


@clock.command("pause", short_help="Let time stand still")
@click.pass_obj
def pause(session: Session) -> None:
    """Let time stand still. What takes no time goes on: requests are answered, and controllers and the scheduler react; but no container
    starts or ends, nothing is retried and nothing expires."""

    async def work(client: Client) -> None:
        click.echo(f"paused at {str((await _ask(client, {'paused': True}))['time'])[:19]}Z")

    _run(session, work)


@clock.command("resume", short_help="Let time go on")
@click.pass_obj
def resume(session: Session) -> None:
    """Let time go on, as fast as before."""

    async def work(client: Client) -> None:
        click.echo(f"resumed: {_words(await _ask(client, {'paused': False}))}")

    _run(session, work)


@clock.command("speed", short_help="Let time pass faster or slower")
@click.argument("factor", type=float)
@click.pass_obj
def speed(session: Session, factor: float) -> None:
    """Let FACTOR seconds pass in the cluster in one of the machine's, from 0.001 to 100000, until it is stopped. Where there is more to do
    in them than the machine can, time passes as fast as it can. (`kctl run-cluster --speed` is for every start.)"""

    async def work(client: Client) -> None:
        click.echo(_words(await _ask(client, {"speed": _number(factor)})))

    _run(session, work)


def _number(value: float) -> float:
    """JSON has no words for those that are none."""
    if value != value or value in (float("inf"), float("-inf")):
        raise CommandError(f"invalid speed {value:g}: it must be a number")
    return value


@clock.command("step", short_help="Let an hour pass, or a day")
@click.argument("duration")
@click.pass_obj
def step(session: Session, duration: str) -> None:
    """Let DURATION (30s, 1h30m, 24h; at most 8784h) pass as fast as possible, with everything that falls due in it: every heartbeat, every
    run of a CronJob, every back-off. Then time goes on as before, or stands still where it was paused. Control-C ends the step where it is."""

    import asyncio

    async def work(client: Client) -> None:
        stepping = asyncio.ensure_future(_ask(client, {"step": duration}))
        try:
            with Progress(sys.stderr, f"Stepping {duration}") as progress:
                while not stepping.done():
                    await asyncio.wait((stepping,), timeout=_LOOK_SECONDS)
                    if sys.stderr.isatty() and not stepping.done() and (left := (await _ask(client)).get("step")):
                        progress.show(f"{left} to go")
        finally:
            stepping.cancel()
        state = stepping.result()
        if "step" in state or "time" not in state:
            raise CommandError(f"the step was broken off; {_words(state)}" if "time" in state else "the step was broken off")
        click.echo(_words(state))

    _run(session, work, blocking=False)
