"""An assistant on one's own machine: a model asks for tools, and only what a person allowed is done."""

import sys
from pathlib import Path

# the modules that several bundles share stand beside this package, or in it
for _home in (Path(__file__).parent, Path(__file__).parent.parent):
    if str(_home) not in sys.path:
        sys.path.append(str(_home))
