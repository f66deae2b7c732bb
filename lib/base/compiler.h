/* Hints for the few loops where they are measured to count; they change no meaning. */
#ifndef KOPI_BASE_COMPILER_H
#define KOPI_BASE_COMPILER_H

#if defined(__GNUC__)
#define KOPI_INLINE    static inline __attribute__((always_inline))
#define KOPI_COLD      __attribute__((noinline, cold))
#define KOPI_LIKELY(x) __builtin_expect(!!(x), 1)
#else
#define KOPI_INLINE static inline
#define KOPI_COLD
#define KOPI_LIKELY(x) (x)
#endif

#endif
