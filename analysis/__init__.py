# SPDX-License-Identifier: MIT
"""Plots of what the benchmark measured."""
