# Filled by the packaging work: headers, both libraries, pkg-config, CMake package.
