# The models of docs/offsets.md: searches of the quick kind, and for each part of the rules one without it, which must fail.
add_test(NAME model COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/model/run quick)
set_tests_properties(model PROPERTIES TIMEOUT 900 PROCESSORS 2 ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
