"""kctl completion: shell scripts that ask `kctl __complete` what may come next."""

from __future__ import annotations

import asyncio
from typing import Any

from kctl.cli.command import PROGRAM, Command
from kctl.cli.errors import UsageError

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


class Completion(Command):
    """Output shell completion code for the specified shell: bash, zsh or fish.

    The code must be evaluated by the shell; it asks kctl itself what may come next, the cluster's objects included.
    """

    name = "completion"
    usage = "SHELL"
    examples = EXAMPLES

    def run(self) -> None:
        if not self.arguments:
            raise UsageError("Shell not specified.")
        if len(self.arguments) > 1:
            raise UsageError("Too many arguments. Expected only the shell type.")
        if self.arguments[0] not in SHELLS:
            raise UsageError(f'Unsupported shell type "{self.arguments[0]}".')
        self.session.write(_SCRIPTS[self.arguments[0]].format(program=PROGRAM))


class Complete(Command):
    """Answer a shell's question for completions. Its words are those of another command line."""

    name = "__complete"
    verbatim = True

    async def run(self) -> None:
        from kctl.cli.completion_candidates import candidates

        words = list(self.arguments) or [""]
        for candidate in await _within(candidates(self.session, words)):
            self.session.print(candidate)


async def _within(work: Any, seconds: float = 3.0) -> list[str]:
    """Nobody waits long for a completion, and no failure disturbs the prompt."""
    try:
        candidates: list[str] = await asyncio.wait_for(work, seconds)
    except Exception:
        return []
    return candidates
