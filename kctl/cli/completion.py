"""kctl completion: shell scripts that ask `kctl __complete` what may come next."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from kctl.cli.command import PROGRAM, KubectlCommand
from kctl.cli.errors import UsageError
from kctl.cli.session import Session

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
# bash completion for {program}
__{program}_complete() {{
    local line
    COMPREPLY=()
    local words=("${{COMP_WORDS[@]:1:COMP_CWORD}}")
    while IFS= read -r line; do
        [[ -n "$line" ]] && COMPREPLY+=("$line")
    done < <({program} __complete "${{words[@]}}" 2>/dev/null)
    if [[ ${{#COMPREPLY[@]}} -eq 1 && "${{COMPREPLY[0]}}" == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}}
complete -o default -F __{program}_complete {program}
"""

_ZSH = """\
#compdef {program}
# zsh completion for {program}
_{program}() {{
    local -a candidates
    candidates=("${{(@f)$({program} __complete "${{(@)words[2,$CURRENT]}}" 2>/dev/null)}}")
    if [[ ${{#candidates}} -eq 0 || ( ${{#candidates}} -eq 1 && -z "${{candidates[1]}}" ) ]]; then
        _files
    else
        compadd -- "${{candidates[@]}}"
    fi
}}
compdef _{program} {program}
"""

_FISH = """\
# fish completion for {program}
function __{program}_complete
    set -l words (commandline -opc) (commandline -ct)
    {program} __complete $words[2..-1] 2>/dev/null
end
complete -c {program} -a '(__{program}_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
EXAMPLES = """
  # Load the completion code for bash into the current shell
  source <(kctl completion bash)

  # Load the completion code for zsh into the current shell
  source <(kctl completion zsh)

  # Load the completion code for fish into the current shell
  kctl completion fish | source
"""


@click.command(
    "completion",
    cls=KubectlCommand,
    short_help="Output shell completion code for the specified shell (bash, zsh, fish)",
    examples=EXAMPLES,
    usage="SHELL",
)
def command(session: Session, arguments: tuple[str, ...]) -> None:
    """Output shell completion code for the specified shell: bash, zsh or fish.

    The code must be evaluated by the shell; it asks kctl itself what may come next, the cluster's objects included.
    """
    if not arguments:
        raise UsageError("Shell not specified.")
    if len(arguments) > 1:
        raise UsageError("Too many arguments. Expected only the shell type.")
    if arguments[0] not in SHELLS:
        raise UsageError(f'Unsupported shell type "{arguments[0]}".')
    session.write(_SCRIPTS[arguments[0]].format(program=PROGRAM))


class _Verbatim(click.Command):
    """Takes its words as they are: those of another command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params = {"words": list(args)}
        return []

    def invoke(self, ctx: click.Context) -> Any:
        from kctl.cli.completion_candidates import candidates

        session: Session = ctx.obj
        words: list[str] = ctx.params["words"] or [""]
        for one in session.run(_within(candidates(session, words))) or ():
            session.print(one)


async def _within(work: Any, seconds: float = 3.0) -> list[str]:
    """Nobody waits long for a completion, and no failure disturbs the prompt."""
    try:
        found: list[str] = await asyncio.wait_for(work, seconds)
    except Exception:
        return []
    return found


complete = _Verbatim("__complete", hidden=True)
