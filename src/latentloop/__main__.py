import sys

from latentloop.cli import main

sys.exit(main())
