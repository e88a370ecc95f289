"""Who may open a connection. ``channels.security`` of Channels 4."""
