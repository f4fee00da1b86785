"""The entry point: ``python -m daemon`` in a checkout, ``ondeckd`` where it is installed."""

import sys
from pathlib import Path

# An installed ondeckd lies below `ondeckd/`, out of the way of other packages named `daemon` or `handlers`;
# this line makes `from daemon.x import y` mean ours, in the checkout and in the installation alike.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from daemon.cli import main

if __name__ == "__main__":
    main()
