"""How objects hang together and how they fare: kctl tree, kctl story, get --why, --clean and --really-all."""
