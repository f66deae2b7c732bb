# The Python bindings: the generated module against the compiler's view, then the tests, one ctest each.
set(layout ${PROJECT_BINARY_DIR}/layout.c)
file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/kop/*.h)
add_custom_command(OUTPUT ${layout}
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/bindings/generate.py --layout > ${layout}
  DEPENDS ${PROJECT_SOURCE_DIR}/tools/bindings/generate.py ${PROJECT_SOURCE_DIR}/tools/capi.py ${headers})
add_executable(layout ${layout})
target_include_directories(layout PRIVATE ${PROJECT_SOURCE_DIR}/include)

file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/python/test_*.py)
foreach(test ${tests})
  kop_python_test(${test} python NEEDS_LIBRARY)
endforeach()
