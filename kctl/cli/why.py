"""kctl why: why a pod is on its node, or on none."""

from __future__ import annotations

from urllib.parse import quote

from kctl.apimachinery.objects import Object
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.client.scheduling import PREFIX
from kctl.printers.table import TableWriter

_SHOWN_NODES = 5


class Why(Command):
    """Show why a pod is on its node, or on none.

    Of a pod that was placed: what each plugin of the scheduler gave the chosen node, as it was decided then. Of a pod that waits: which plugin
    keeps it from which nodes, and why. Needs a cluster of `kctl run-cluster`.
    """

    name = "why"
    usage = "(POD | pod/NAME)"
    blocking = True
    examples = """
  # Why is it where it is, or where it is not?
  kctl why pod/web-0

  # Every node by its name, for programs
  kctl why web-0 -o json
"""
    output: str = flag("-o", "--output", help="One of 'json' or 'yaml'; 'wide' names every node.")

    def validate(self) -> None:
        if self.output not in ("", "json", "yaml", "wide"):
            raise CommandError(
                f'unable to match a printer suitable for the output format "{self.output}", allowed formats are: json,yaml,wide'
            )
        if len(self.arguments) not in (1, 2):
            raise CommandError("exactly one pod is required, as NAME or pod/NAME")

    async def run(self) -> None:
        words = self.arguments if "/" in self.arguments[0] or len(self.arguments) == 2 else ("pods", *self.arguments)
        selections = await Builder(self.session).selections(words, allow_collection=False)
        if len(selections) != 1 or selections[0].resource.plural != "pods" or selections[0].resource.group:
            raise CommandError("exactly one pod is required, as NAME or pod/NAME")
        chosen = selections[0]
        path = f"{PREFIX}/namespaces/{quote(chosen.namespace, safe='')}/pods/{quote(chosen.name, safe='')}"
        decision = await ask(self.session, "GET", path)
        if self.output in ("json", "yaml"):
            print_object(self.session, decision, self.output)
        else:
            self.session.write(_told(decision, wide=self.output == "wide"))


async def ask(session: Session, method: str, path: str, body: bytes | None = None) -> Object:
    """Raises what the server refuses it with."""
    import orjson

    headers = {"Content-Type": "application/json"} if body is not None else None
    response = await (await session.client()).transport.raw(method, path, body=body, headers=headers)
    if response.status >= 400:
        from kctl.cli.raw import failure

        raise failure(response.status, response.body)
    answer: Object = orjson.loads(response.body)
    return answer


def print_object(session: Session, shown: Object, output: str) -> None:
    if output == "json":
        import orjson

        session.print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    else:
        from kctl.apimachinery.yaml import dump

        session.write(dump(shown))


def _told(decision: Object, *, wide: bool) -> str:
    meta, status = decision["metadata"], decision["status"]
    pod, phase = f"Pod {meta['namespace']}/{meta['name']}", status["phase"]
    if phase == "Placed" and "scores" in status:
        head = f"{pod} was placed on {status['nodeName']} at {status['time']}."
        found = f"{status['feasibleNodes']} of {status['evaluatedNodes']} nodes could take it; this one had the most points."
        rows = [["PLUGIN", "WEIGHT", "SCORE", "POINTS"]]
        rows += [[each["plugin"], str(each["weight"]), str(each["score"]), str(each["points"])] for each in status["scores"]]
        rows.append(["total", "", "", str(status["totalPoints"])])
        return f"{head}\n{found}\n\n{TableWriter().format(rows)}"
    where = f" is on {status['nodeName']}" if phase == "Placed" else " waits"
    said = f"{pod}{where}. {status['message']}\n"
    if promised := status.get("nominatedNodeName"):
        said += f"It will be placed on {promised} when the pods it takes the place of are gone.\n"
    if not status.get("filtered"):
        return said
    rows = [["PLUGIN", "NODES", "REASON", "WHICH"]]
    rows += [
        [each["plugin"], str(len(each["nodes"])), ", ".join(each["reasons"]), _names(each["nodes"], wide)] for each in status["filtered"]
    ]
    return f"{said}\n{TableWriter().format(rows)}"


def _names(nodes: list[str], wide: bool) -> str:
    shown = nodes if wide else nodes[:_SHOWN_NODES]
    more = len(nodes) - len(shown)
    return ",".join(shown) + (f" and {more} more" if more else "")
