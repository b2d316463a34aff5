"""Everything that is only a client of kube-apiserver: one folder per control-plane component."""
