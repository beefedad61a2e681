/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else (hv/CMakeLists.txt): all symbols are in this image, so nothing
 * goes through a global offset table.
 */
#pragma GCC visibility push(hidden)
