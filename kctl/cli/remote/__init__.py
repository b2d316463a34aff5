"""Commands that open a connection to a running container: exec, attach, cp, port-forward, and what `kctl run -i` does after creating."""
