"""Random sequences of what befalls a cluster, and what each controller never does whatever befalls it."""
