import sys

from latentloop.cli.lite import main

sys.exit(main())
