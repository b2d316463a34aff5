"""kctl alpha: kubectl's place for commands on trial; there are none."""

from __future__ import annotations

from kctl.cli.command import Command


class Alpha(Command):
    """Commands for features that are on trial. There are none in this version."""

    name = "alpha"

    def run(self) -> None:
        self.session.error("No alpha commands are available in this version of kctl")
