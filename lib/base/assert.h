/* KOPI_ASSERT: the library's own invariants. Never on anything a peer or a caller can choose. */
#ifndef KOPI_BASE_ASSERT_H
#define KOPI_BASE_ASSERT_H

#if defined(KOP_NO_ASSERT)
#define KOPI_ASSERT(cond) ((void)sizeof(cond))
#else
#define KOPI_ASSERT(cond) ((cond) ? (void)0 : __builtin_trap())
#endif

#endif
