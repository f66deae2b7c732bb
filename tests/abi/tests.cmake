# What the shared object imports and exports. Sanitizers add symbols of their own, so they leave this out.
if(NOT KOP_SANITIZE)
  add_test(NAME abi_imports COMMAND ${PROJECT_SOURCE_DIR}/tests/abi/imports.sh $<TARGET_FILE:kop_shared>)
  add_test(NAME abi_declarations
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/check/api.py $<TARGET_FILE:kop_shared>)
endif()
