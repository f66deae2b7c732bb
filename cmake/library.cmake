# libkop, shared and static, from the same objects. Each folder of lib/ is a layer; a new file is found by its place.
file(GLOB KOP_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/*/*.c ${PROJECT_SOURCE_DIR}/lib/*/gen/*.c)
add_library(kop_objects OBJECT ${KOP_SOURCES})
target_include_directories(kop_objects
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  PRIVATE ${PROJECT_SOURCE_DIR}/lib)
target_link_libraries(kop_objects PRIVATE kop_flags PkgConfig::KOP_DEPS)
if(KOP_WITHOUT_ISAL)
  target_compile_definitions(kop_objects PRIVATE KOP_WITHOUT_ISAL)
endif()

add_library(kop_shared SHARED)
add_library(kop_static STATIC)
foreach(kind shared static)
  target_sources(kop_${kind} PRIVATE $<TARGET_OBJECTS:kop_objects>)
  target_include_directories(kop_${kind} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(kop_${kind} PROPERTIES OUTPUT_NAME kop EXPORT_NAME ${kind})
  add_library(kop::${kind} ALIAS kop_${kind})
endforeach()
target_link_libraries(kop_shared PRIVATE kop_flags PkgConfig::KOP_DEPS)
target_link_libraries(kop_static PRIVATE $<BUILD_INTERFACE:kop_flags> PkgConfig::KOP_DEPS)
set_target_properties(kop_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/lib/kop.map)
target_link_options(kop_shared PRIVATE -Wl,--as-needed -Wl,--version-script=${PROJECT_SOURCE_DIR}/lib/kop.map)
# Sanitizer runtimes live in the program, so a library that uses one has open ends.
if(NOT KOP_SANITIZE)
  target_link_options(kop_shared PRIVATE -Wl,--no-undefined)
endif()
