/*
 * A search holds an interval of positions and halves it.
 *
 *        lo                              hi_pos            hi
 *     ---*-------?--?--?--?--?--?--?--?--|- - - - - - - - -*------->
 *        no                               nothing here      yes         "yes": the entry is what is looked for, or lies after it
 *
 * An entry answers yes when its last offset (or its timestamp) is not below the wanted one and it has an index. lo is an entry that
 * answers no, hi one that answers yes, and nothing exists in [hi_pos, hi). A read at a position gives the first entry at or after it,
 * so each answer moves lo up or hi_pos down, whatever holes, rollovers and trims stand between. When no position is left between lo
 * and hi_pos, hi is the first entry that answers yes.
 *
 *   begin -> [INDEX | TIME] -> [FIRST] -> [LAST] -> halve: [LEDGERS], AT, AT, ... | KTH, KTH, ... -> [FIRST] -> result
 *                 \ FOUND         \ TOO_LOW  \ TOO_HIGH, NO_INDEX                  \ FOUND           \ IN_HOLE or TOO_LOW
 *
 * search.c: the calls. answer.c: what an answer does to the interval. choose.c: which probe comes next.
 */
#ifndef KOPI_OFFSET_SEARCH_H
#define KOPI_OFFSET_SEARCH_H

#include "offset/map.h"

enum { SEARCH_IDLE = 0, SEARCH_RUNS = 1, SEARCH_ENDED = 2 };

struct kop_offset_search {
  kop_alloc alloc;
  kop_offset_map *map;
  uint32_t can;
  uint32_t max_probes;
  uint32_t max_restarts;

  uint32_t state;
  uint32_t find;
  int64_t wanted;
  kop_offset_probe probe;   /* what is asked for while it runs */
  kop_offset_result result; /* filled as it goes */
  uint64_t map_changes;     /* the map's when lo and hi were last right */

  /* The interval. */
  uint8_t has_lo;
  uint8_t has_hi;
  kop_offset_entry lo;
  kop_offset_entry hi;
  kopi_offset_pos hi_pos;

  /* What this round has asked already. */
  uint8_t read_first;
  uint8_t lo_stood; /* lo was there after the last time that something was found missing */
  uint8_t read_list;
  uint8_t tried_shortcut; /* INDEX or TIME */
  uint8_t on_shortcut;    /* the AT that is out reads where the shortcut pointed */
  uint8_t empty;          /* the topic has no entries */
  uint8_t wants_list;     /* an exact read found nothing: is the list old? */
  uint8_t walks;          /* the next probe is set: an exact reader goes on to the next ledger */

  /* How to halve. */
  kopi_offset_pos
      asked; /* the position wanted; an exact reader may have to look in later ledgers for it */
  uint8_t guessed;    /* the last position was a guess by offset */
  uint64_t last_room; /* positions between lo and hi_pos then */
  uint64_t stride;    /* of the gallop behind lo when the end of its ledger is not known; 0: none */
  uint64_t stride_ledger;

  /* By number instead of position: CAN_EXAMINE alone. */
  uint64_t lo_number;
  uint64_t hi_number;    /* 0: not known */
  uint8_t checks_number; /* the KTH that is out asks whether lo still has its number */
};

/* Ends the search; `entry` may be NULL. */
void kopi_offset_search_end(kop_offset_search *s, uint32_t kind, const kop_offset_entry *entry);

/* The log has changed under it: begins anew from the map, or gives up. */
void kopi_offset_search_restart(kop_offset_search *s);

/* Sets the next probe, or ends the search. */
void kopi_offset_search_choose(kop_offset_search *s);

/* What an answer does; KOP_ERR_INVALID changes nothing. */
kop_status kopi_offset_search_take(kop_offset_search *s, const kop_offset_answer *a);

/* Whether an entry is what is looked for, or lies after it. */
uint8_t kopi_offset_search_yes(const kop_offset_search *s, const kop_offset_entry *e);

#endif
