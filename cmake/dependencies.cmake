# What libkop links ; every one is a Debian package that tools/install-deps.sh installs.
# The same list stands in the pkg-config file and the CMake package, for those who link the static library.
set(KOP_REQUIRES zlib liblz4 libzstd snappy libisal libxxhash jansson)
find_package(PkgConfig REQUIRED)
pkg_check_modules(KOP_DEPS REQUIRED IMPORTED_TARGET ${KOP_REQUIRES})
