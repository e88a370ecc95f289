"""Recordings of groups as MCAP files: written, read, and replayed."""
