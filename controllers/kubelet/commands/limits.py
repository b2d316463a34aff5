"""What reading one command line or script may cost; what is beyond these bounds is not interpreted."""

from __future__ import annotations

SCRIPT_CHARACTERS = 16 * 1024
NESTING = 40
"""Of commands in commands: groups, substitutions, functions, shells in shells."""
ARGUMENTS = 1_000
STEPS = 5_000
"""Commands that one run executes."""
OUTPUT_BYTES = 256 * 1024
