"""``python -m nbchannels``: the command, where its script is not on the path."""

import sys

from nbchannels.cli.main import main

if __name__ == "__main__":
    sys.argv[0] = "nbchannels"  # what the server's other users see of this process
    sys.exit(main())
