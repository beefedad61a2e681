# SPDX-License-Identifier: MIT
"""`radon run --fast`: radon-prof works beside the command, and its handlers are listed at the end."""

from . import tools
from .observe import words

DAEMON, HANDLERS = "prof", "handler"
# $@ is the command. The lock is there when the daemon has begun, and can be ended. What it says is shown
# when it fails.
BESIDE = """radon-prof >/run/radon-prof.out 2>&1 &
prof=$!
while [ ! -e /run/radon/prof/lock ] && kill -0 $prof 2>/dev/null; do
    sleep 0.02
done
"$@"
status=$?
kill $prof 2>/dev/null
if ! wait $prof; then
    cat /run/radon-prof.out >&2
    [ $status = 0 ] && status=1
fi
radon-handler list >&2
exit $status
"""


def beside(spec):
    """Has spec run its command with the daemon beside it."""
    spec.adds = spec.adds + [(tools.program(name), tools.INSIDE + "radon-" + name)
                             for name in (DAEMON, HANDLERS)]
    spec.command = ["/bin/sh", "-c", BESIDE, "radon-fast", *words(spec.command)]
    spec.xen_devices = True
