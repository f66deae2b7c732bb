# The Python bindings: the generated module against the compiler's view, then the tests, one ctest each.
# A sanitized library cannot be loaded into an ordinary Python, so sanitizers leave this out.
set(layout ${PROJECT_BINARY_DIR}/layout.c)
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/kop/*.h)
add_custom_command(OUTPUT ${layout}
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/bindings/generate.py --layout > ${layout}
  DEPENDS ${PROJECT_SOURCE_DIR}/tools/bindings/generate.py ${PROJECT_SOURCE_DIR}/tools/capi.py ${headers})
add_executable(layout ${layout})
target_include_directories(layout PRIVATE ${PROJECT_SOURCE_DIR}/include)

if(NOT KOP_SANITIZE)
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/python/test_*.py)
  foreach(test ${tests})
    get_filename_component(name ${test} NAME_WE)
    string(REPLACE test_ python_ name ${name})
    add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${test})
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "PYTHONPATH=${PROJECT_SOURCE_DIR}/bindings/python;KOP_LIBRARY=$<TARGET_FILE:kop_shared>;KOP_LAYOUT=$<TARGET_FILE:layout>;KOP_BUILD=${PROJECT_BINARY_DIR}")
  endforeach()
endif()
