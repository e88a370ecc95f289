"""The wire protocol v1, sans-IO: bytes in, events out; clock and randomness are handed in."""
