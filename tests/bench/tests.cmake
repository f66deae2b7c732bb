# One program for each tests/bench/bench_*.c; the scripts beside them run these and their peers.
file(GLOB KOP_BENCHES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/bench/bench_*.c)
foreach(source ${KOP_BENCHES})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_link_libraries(${name} PRIVATE kop_flags kop_static PkgConfig::KOP_DEPS)
  if(TARGET kopd_parts)
    target_link_libraries(${name} PRIVATE kopd_parts)
  endif()
endforeach()
# The client of the broker bench is librdkafka and knows nothing of libkop.
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
target_link_libraries(bench_client PRIVATE PkgConfig::RDKAFKA)
# This one has protobuf-c as its peer, by way of what the library uses of it.
target_include_directories(bench_pulsar_entry PRIVATE ${PROJECT_SOURCE_DIR}/lib)
# And this one runs on the loop of the Pulsar examples.
target_sources(bench_pulsar PRIVATE ${PROJECT_SOURCE_DIR}/examples/pulsar/loop.c)
target_include_directories(bench_pulsar PRIVATE ${PROJECT_SOURCE_DIR}/examples/pulsar)
