/* Mapped log files that are cut while they are in use. */
#include "store/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLACES = 16384, CLAIMED = 1 };

/* One guarded mapping. The handler reads them without a lock. */
typedef struct place {
  atomic_uintptr_t from; /* 0: free; CLAIMED: being filled in */
  atomic_uintptr_t to;
  atomic_bool hit;
} place;

static place places[PLACES];
static atomic_size_t used; /* places from here on were never taken */
static atomic_uint_fast64_t faults;
static uintptr_t page_size;

static place *place_around(uintptr_t address) {
  size_t n = atomic_load(&used);
  for (size_t i = 0; i < n; i++) {
    uintptr_t from = atomic_load(&places[i].from);
    if (from > CLAIMED && address >= from && address < atomic_load(&places[i].to))
      return &places[i];
  }
  return NULL;
}

/* Calls only what a signal handler may call; mmap is a bare system call on every system that kopd runs on. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  place *p = info->si_code == BUS_ADRERR ? place_around(address) : NULL;
  void *page = (void *)(address & ~(page_size - 1));
  if (p == NULL || mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                        0) == MAP_FAILED) {
    struct sigaction otherwise = {.sa_handler = SIG_DFL};
    sigaction(number, &otherwise, NULL); /* the same instruction raises it again */
  } else {
    atomic_store(&p->hit, true);
    atomic_fetch_add(&faults, 1);
  }
  errno = saved;
}

int kopd_guard_install(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigemptyset(&action.sa_mask);
  return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}

void kopd_guard_add(const void *address, size_t length) {
  for (size_t i = 0; i < PLACES; i++) {
    uintptr_t free_place = 0;
    if (!atomic_compare_exchange_strong(&places[i].from, &free_place, CLAIMED)) continue;
    atomic_store(&places[i].to, (uintptr_t)address + length);
    atomic_store(&places[i].hit, false);
    atomic_store(&places[i].from, (uintptr_t)address);
    size_t n = atomic_load(&used);
    while (n < i + 1 && !atomic_compare_exchange_weak(&used, &n, i + 1)) {
    }
    return;
  }
}

/* The place that begins there. Mappings do not overlap, so there is one at most. */
static place *place_of(const void *address) {
  size_t n = atomic_load(&used);
  for (size_t i = 0; i < n; i++)
    if (atomic_load(&places[i].from) == (uintptr_t)address) return &places[i];
  return NULL;
}

void kopd_guard_remove(const void *address) {
  place *p = place_of(address);
  if (p != NULL) atomic_store(&p->from, 0);
}

uint64_t kopd_guard_faults(void) {
  return atomic_load(&faults);
}

bool kopd_guard_is_hit(const void *address) {
  const place *p = place_of(address);
  return p != NULL && atomic_load(&p->hit);
}
