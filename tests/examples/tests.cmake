# The examples, run as a reader would run them.
kop_python_test(${PROJECT_SOURCE_DIR}/tests/examples/test_decode_capture.py example)
kop_python_test(${PROJECT_SOURCE_DIR}/tests/examples/test_list_broker.py example)
kop_python_test(${PROJECT_SOURCE_DIR}/tests/examples/test_python_broker.py example NEEDS_LIBRARY)
kop_python_test(${PROJECT_SOURCE_DIR}/tests/examples/test_read_entries.py example)
