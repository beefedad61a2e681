# SPDX-License-Identifier: MIT
"""The benchmark: `radon bench`."""
