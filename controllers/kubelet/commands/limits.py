"""What reading one command line or script may cost; what is beyond these bounds is not interpreted."""

from __future__ import annotations

SCRIPT_CHARACTERS = 16 * 1024
NESTING = 40
"""Of commands in commands: groups, substitutions, functions, shells in shells."""
ARGUMENTS = 1_000
STEPS = 5_000
"""Commands that one run executes."""
OUTPUT_BYTES = 256 * 1024
SLICE_UNITS = 4_000
"""What a process computes in one go, in units of `work`: a few milliseconds."""
UNITS_AT_ONCE = 25_000
"""What it may compute where it cannot pause."""
TURN_SECONDS = 0.01
"""Between two slices, of whichever container."""
TURNS_IN_A_ROW = 8
"""After so many slices a process that does nothing but compute has to wait for a second."""
LINES = 50_000
"""Of a text that a program takes apart."""
LIVE_OUTPUT_BYTES = 1024 * 1024
"""What is kept of a live container's log; the oldest lines go first, as in a rotated file."""
CAPTURE_BYTES = 1024 * 1024
"""Of a pipe or a command substitution."""
FIELDS = 10_000
"""Words that expansions of one command make."""
