#!/usr/bin/env python3
"""peak.py FILE COMMAND...: runs it and writes its largest resident size (KiB) to FILE. Ends with its exit code."""
import resource, subprocess, sys

code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as out:
    out.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code if code >= 0 else 128 - code)
