# The program that tests/record/run drives from Java.
add_executable(record_peer ${PROJECT_SOURCE_DIR}/tests/record/record_peer.c)
target_link_libraries(record_peer PRIVATE kop_flags kop_static)
