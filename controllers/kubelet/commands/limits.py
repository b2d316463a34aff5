"""What reading one command line or script may cost; what is beyond these bounds is not interpreted."""

from __future__ import annotations

SCRIPT_CHARACTERS = 16 * 1024
NESTING = 40
"""Of commands in commands: groups, substitutions, functions, shells in shells."""
ARGUMENTS = 1_000
STEPS = 5_000
"""Commands that one run executes."""
OUTPUT_BYTES = 256 * 1024
STEPS_PER_SLICE = 2_000
"""Commands that a live script may execute before it has to wait a second."""
LIVE_OUTPUT_BYTES = 1024 * 1024
"""What is kept of a live container's log; the oldest lines go first, as in a rotated file."""
CAPTURE_BYTES = 1024 * 1024
"""Of a pipe or a command substitution."""
FIELDS = 10_000
"""Words that expansions of one command make."""
