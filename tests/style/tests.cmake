# Checks of the sources themselves: they need no build.
foreach(check layers style ci_cases)
  add_test(NAME check_${check} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check/${check}.py)
endforeach()
add_test(NAME check_format COMMAND ${PROJECT_SOURCE_DIR}/tools/check/format.sh)
add_test(NAME check_capi COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/style/test_capi.py)
# What a generator wrote must be what it would write: every generator has a --check.
file(GLOB generators CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*/generate.py ${PROJECT_SOURCE_DIR}/tools/gen-*.py)
foreach(generator ${generators})
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/tools ${generator})
  string(REGEX REPLACE "/generate.py$|^gen-|.py$" "" name ${name})
  add_test(NAME generated_${name} COMMAND ${Python3_EXECUTABLE} ${generator} --check)
endforeach()
# Both compilers see every source, whichever builds.
if(NOT KOP_SANITIZE)
  add_test(NAME check_other_compiler
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check/other_compiler.py ${PROJECT_BINARY_DIR})
endif()
