# One list of warnings for all our own code, and the sanitizers when asked for.
add_library(kop_flags INTERFACE)
target_compile_options(kop_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wundef -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wwrite-strings -Wpointer-arith
  $<$<BOOL:${KOP_WERROR}>:-Werror>)
if(KOP_SANITIZE)
  target_compile_options(kop_flags INTERFACE -fsanitize=${KOP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(kop_flags INTERFACE -fsanitize=${KOP_SANITIZE})
endif()
if(KOP_BUILD_FUZZERS)
  target_compile_options(kop_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
