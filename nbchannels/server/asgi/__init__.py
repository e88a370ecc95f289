"""``app/…``: an ASGI 3 application inside the Jupyter server, HTTP and WebSocket."""
