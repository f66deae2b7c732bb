# The libkop side of the comparison with Kafka's classes: tests/wire/run.sh runs both sides (it needs Java), wire_golden a part that is kept.
add_executable(wire_oracle ${PROJECT_SOURCE_DIR}/tests/wire/oracle.c)
target_link_libraries(wire_oracle PRIVATE kop_flags kop_static PkgConfig::KOP_DEPS)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME wire_schema COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/wire/test_schema.py)
add_test(NAME wire_golden
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/wire/golden.py test $<TARGET_FILE_DIR:wire_oracle>)
