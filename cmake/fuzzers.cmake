# libFuzzer targets (clang only): tests/fuzz/fuzz_<name>.c, its seeds in tests/fuzz/corpus/<name>/.
# The library itself is built with coverage (cmake/warnings.cmake), or the fuzzer would be blind in it.
if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR "KOP_BUILD_FUZZERS needs clang: -DCMAKE_C_COMPILER=clang")
endif()
file(GLOB KOP_FUZZERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(source ${KOP_FUZZERS})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE kop_flags kop_static)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
