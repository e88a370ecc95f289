"""Consumers that know a protocol: WebSocket and HTTP. ``channels.generic`` of Django Channels."""
