# Public headers in both languages and compilers; a compiler that is missing is a failure.
foreach(pair c11:gcc c11:clang c++17:g++ c++17:clang++)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 standard)
  list(GET pair 1 compiler)
  add_test(NAME headers_${standard}_${compiler}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/headers/check.sh ${standard} ${compiler})
endforeach()
