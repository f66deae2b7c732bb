# An outside program against the installed tree.
if(NOT KOP_SANITIZE)
  add_test(NAME install COMMAND ${PROJECT_SOURCE_DIR}/tests/install/run.sh ${PROJECT_BINARY_DIR})
  set_tests_properties(install PROPERTIES ENVIRONMENT CC=${CMAKE_C_COMPILER})
endif()
