"""What sed is told on its command line."""

from __future__ import annotations

import re

from controllers.kubelet.commands.programs.call import Call


def scripts_of(call: Call) -> list[str]:
    scripts, words = [], call.arguments
    for at, word in enumerate(words):
        if word == "--":
            break
        if re.fullmatch(r"-[nEri]*e", word) and at + 1 < len(words):
            scripts.append(words[at + 1])
        elif word.startswith("--expression="):
            scripts.append(word[13:])
        elif re.fullmatch(r"-[nEr]*e.+", word, re.DOTALL) and not word.startswith("--"):
            scripts.append(word[word.index("e") + 1 :])
    return scripts
