"""python -m kctl: the same as the `kctl` script."""

from kctl.cli.main import main

main()
