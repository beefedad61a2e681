# SPDX-License-Identifier: MIT
# docs/abi-coverage.md is what hv/gen/abi_coverage.py makes of the code.
add_test(NAME abi_coverage COMMAND python3 hv/gen/abi_coverage.py --check
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
