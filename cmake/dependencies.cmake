# What libkop links (DESIGN 8); every one is a Debian package that tools/install-deps.sh installs.
find_package(PkgConfig REQUIRED)
pkg_check_modules(KOP_DEPS REQUIRED IMPORTED_TARGET zlib liblz4 libzstd snappy libisal libxxhash jansson)
