"""The command ``nbchannels``: what goes on in a server, for terminals and for other programs."""
