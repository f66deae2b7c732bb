# What `cmake --install` puts down: headers, both libraries, kop.pc, and find_package(kop).
# The libraries are exported apart, so that kop::shared needs nothing but itself.
# Everything is found relative to where it lies: an installed tree can be moved.
include(CMakePackageConfigHelpers)
string(REPLACE ";" " " KOP_PC_REQUIRES "${KOP_REQUIRES}")
set(KOP_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/kop)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/kop DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development FILES_MATCHING PATTERN "*.h")
foreach(kind shared static)
  install(TARGETS kop_${kind} EXPORT kop_${kind}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  install(EXPORT kop_${kind} NAMESPACE kop:: FILE kop-${kind}.cmake
    DESTINATION ${KOP_PACKAGE_DIR} COMPONENT development)
endforeach()
if(TARGET kopd)
  install(TARGETS kopd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/kop-config.cmake.in
  ${PROJECT_BINARY_DIR}/kop-config.cmake INSTALL_DESTINATION ${KOP_PACKAGE_DIR})
# While the major number is 0 a new minor number may break, so only the same minor number will do.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kop-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kop-config.cmake ${PROJECT_BINARY_DIR}/kop-config-version.cmake
  DESTINATION ${KOP_PACKAGE_DIR} COMPONENT development)

file(RELATIVE_PATH KOP_PC_ROOT /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/pkgconfig/kop.pc.in ${PROJECT_BINARY_DIR}/kop.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/kop.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
