#!/bin/sh
# SPDX-License-Identifier: MIT
# mkrevision.sh FILE: a header with the git revision of the tree; FILE changes only if the revision did.
cd "$(dirname "$0")" || exit 1
text="#define RADON_REVISION \"$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)\""
[ -f "$1" ] && [ "$(cat "$1")" = "$text" ] || echo "$text" > "$1"
