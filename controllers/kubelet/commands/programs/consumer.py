"""resource-consumer: a server that is told how much to use."""

from __future__ import annotations

import re

from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.servers import serve
from controllers.kubelet.commands.programs.serving import Server


def resource_consumer(process: Process, port: int) -> Run:
    """Says what it would consume; simulated usage is set by annotations."""

    def handle(request: Request) -> Response:
        if request.method != "POST":
            return http.error("Bad request. Not a POST request", 400)
        form = request.form
        amounts = {"/ConsumeCPU": "millicores", "/ConsumeMem": "megabytes"}
        if request.path == "/GetCurrentStatus":
            return http.text("Warning: not implemented!\nGetCurrentStatus")
        unit = amounts.get(request.path)
        if unit is None:
            return http.error("unknown function", 404)
        amount, seconds = form.get(unit, ""), form.get("durationSec", "")
        if not amount or not seconds:
            return http.error("not given function argument", 400)
        if not all(re.fullmatch(r"[-+]?\d{1,12}", each) for each in (amount, seconds)):
            return http.error("incorrect function argument", 400)
        return http.text(f"{request.path[1:]}\n{int(amount)} {unit}\n{int(seconds)} durationSec\n")

    return (yield from serve(Server(process), port, handle))


def main(process: Process) -> Run:
    """The image of its own."""
    values = [word.rpartition("=")[2] for word in process.argv[1:] if word.lstrip("-").startswith("port=")]
    return (yield from resource_consumer(process, int(values[0]) if values and values[0].isdigit() else 8080))
