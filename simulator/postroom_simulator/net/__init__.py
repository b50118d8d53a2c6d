"""How clients reach a world: connections that drive sessions, in memory (`memory`) and on sockets (`tcp`), with TLS (`tls`)."""
