"""Connections that become another protocol's: WebSocket channels and SPDY/3.1, and what runs over them (exec, attach, port-forward)."""
