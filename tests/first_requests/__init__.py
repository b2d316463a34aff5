"""What the first request of each kind costs the event loop of a server that just started."""
