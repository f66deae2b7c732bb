# The matrix itself needs clients from their registries (make test-clients); its cells are proved here without any.
add_test(NAME clients_harness COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_harness.py)
set_tests_properties(clients_harness PROPERTIES ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
