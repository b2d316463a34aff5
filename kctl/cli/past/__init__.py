"""The past of objects, as far as the API server keeps it: kctl history, kctl undo, kctl get --at."""
