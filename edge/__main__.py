"""`python -m edge`, the same as `platewarden-edge`."""

import sys

from edge.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
