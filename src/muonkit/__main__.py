"""`python -m muonkit`"""

import sys

from muonkit.cli import main

sys.exit(main())
