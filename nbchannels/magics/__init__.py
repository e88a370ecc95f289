"""What ``%load_ext nbchannels`` adds to a notebook."""
