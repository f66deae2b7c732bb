# What libkop links; every one is a Debian package that tools/install-deps.sh installs.
# The same list stands in the pkg-config file and the CMake package, for those who link the static library.
set(KOP_REQUIRES zlib liblz4 libzstd snappy libxxhash jansson libprotobuf-c)
option(KOP_WITHOUT_ISAL "Compute CRC-32C by tables, for processors that ISA-L does not know" OFF)
if(NOT KOP_WITHOUT_ISAL)
  list(APPEND KOP_REQUIRES libisal)
endif()
find_package(PkgConfig REQUIRED)
pkg_check_modules(KOP_DEPS REQUIRED IMPORTED_TARGET GLOBAL ${KOP_REQUIRES})
