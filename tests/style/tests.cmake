# Checks of the sources themselves: they need no build.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
foreach(check layers style)
  add_test(NAME check_${check} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check/${check}.py)
endforeach()
add_test(NAME check_format COMMAND ${PROJECT_SOURCE_DIR}/tools/check/format.sh)
add_test(NAME check_capi COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/style/test_capi.py)
# What a generator wrote must be what it would write: every generator has a --check.
file(GLOB generators CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*/generate.py)
foreach(generator ${generators})
  get_filename_component(folder ${generator} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  add_test(NAME generated_${name} COMMAND ${Python3_EXECUTABLE} ${generator} --check)
endforeach()
