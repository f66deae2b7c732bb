/*
 * A compacted topic (docs/offsets.md, section 8): G gateways write keyed values, and the broker may compact at any time, which
 * leaves of each key the newest record alone, whether it counts or not.
 *
 * The broker's deduplication is on and all leaders write under one producer name, with (term, count in the term) as sequence id: what
 * comes late or twice never enters the log. A leader has one unconfirmed entry at a time, so that none can be missing before
 * another. So whatever is in the log counts, and compaction can take nothing away that still matters.
 *
 * Properties, when a leader begins:
 *   AGREE  what it holds of each place that is left is what was said of it before
 *   KEPT   of each key it has the value that was told last, or a newer one
 * And, always:
 *   CLEAN  no leader reads a void record
 *
 * Each part of the rule can be taken out with -DOUT=NAME, one at a time; `run` knows what must happen then. NO_DEDUP puts in the
 * place of deduplication the rule that a leader, seeing a void record, writes the key's value again.
 */
#ifndef G
#define G 2 /* gateways */
#endif
#ifndef K
#define K 2 /* keys */
#endif
#ifndef N
#define N 6 /* places in the log */
#endif
#ifndef S
#define S 3 /* entries that one gateway sends */
#endif
#ifndef V
#define V 3 /* versions of a value */
#endif
#ifndef DOUBLES
#define DOUBLES 1
#endif
#ifndef COMPACTIONS
#define COMPACTIONS 2
#endif

#ifndef OUT
#define OUT 0
#endif
#define NO_DEDUP 1
#define NO_ONE_NAME 2   /* each gateway writes under a name of its own */
#define NO_TERM_FIRST 3 /* sequence ids rise with (count, term) */
#define NO_COUNT 4      /* sequence ids rise with the term alone, entries of a term may come twice */
#define NO_FIXED_KEY 5  /* barriers without a key are dropped by compaction */
#define NO_HORIZON 6    /* below the horizon, where some are missing, ordinals decide as elsewhere */
#define MANY_IN_FLIGHT 7

#define BAR 1
#define DATA 2
#define READER 0
#define CLAIMS 1
#define LEADS 2
#define VOID 255
#define HALL 7 /* barriers have a key of their own */

typedef Entry {
  unsigned kind : 2, t : 3;
  unsigned n : 3;                /* count in the term; 0 is the barrier that began it */
  unsigned key : 1, v : 3;       /* data: the value of a key is its version, 0 is none */
  unsigned read : 4;             /* barrier: its author had read the places below */
  unsigned wt : 3, wi : 2, ex : 3;
  unsigned mask : 8;
  unsigned copies : 2
}

typedef Gateway {
  unsigned st : 2, rd : 4;
  unsigned last_bar : 4;
  unsigned wt : 3, wi : 2, ex : 3;
  unsigned mask : 8;
  unsigned hi : 3, t : 3;        /* highest term seen, last one claimed */
  unsigned n : 3, back : 3;      /* as a leader: entries sent in its term, and read back */
  unsigned v0 : 3, v1 : 3;       /* as a leader: value of each key, those under way included */
  unsigned dirty : 3;            /* as a leader: keys whose newest record is void, not written again yet; bit 2: barriers */
  unsigned sends : 3
}

Entry E[G * S];
Gateway gw[G];
byte log[N], top = 0;
unsigned gone : 8;    /* bit p: compaction has removed what stood at place p */
byte horizon = 0;     /* places below have been compacted */
byte compactions = 0, doubles = 0;
byte pushed[G]; /* the broker's memory of the highest sequence id of a name */
byte said[N];         /* what leaders said of places: VOID, or 1 + the version */

hidden byte e, p, k, q, b, good, counts, verdict;

#define BIT(p) (1 << (p))
#define BELOW(p) ((1 << (p)) - 1)
#define OF(e) ((e) / S)
#define SEQUENCE(e) (OUT == NO_TERM_FIRST -> E[e].n * 8 + E[e].t : (OUT == NO_COUNT -> E[e].t * 8 : E[e].t * 8 + E[e].n))
#define NAME(e) (OUT == NO_ONE_NAME -> OF(e) : 0)
#define BY_DEDUP (OUT != NO_DEDUP)
#define REPAIRS (OUT == NO_DEDUP)
#define PASSES(e) (OUT == NO_DEDUP || SEQUENCE(e) + (OUT == NO_COUNT) > pushed[NAME(e)])
#define KEY(e) (E[e].kind == BAR -> HALL : E[e].key)

/* Compaction touches data alone: what is lost then is no barrier. */
#ifdef SPARE_BARRIERS
#define SPARED(e) (E[e].kind == BAR)
#define ALL_BARRIERS 1
#else
#define SPARED(e) (false)
#define ALL_BARRIERS 0
#endif

/* That the search comes this far: after compaction a second gateway leads, with a value that was written twice. */
#ifndef REACH
#define REACH 0
#endif

#define DROPPED(e) (OUT == NO_FIXED_KEY && E[e].kind == BAR)

#define IN_FORCE(e, g) (E[e].t == gw[g].wt && OF(e) == gw[g].wi)

/* Below the horizon places are missing. With deduplication everything that is left counts; without it, what its stamp lets count. */
inline fold_data(g, at) {
  e = log[at];
  counts = 0;
  if
  :: at < horizon && BY_DEDUP && OUT != NO_HORIZON -> counts = 1
  :: at < horizon && !BY_DEDUP -> counts = (IN_FORCE(e, g) && E[e].n >= gw[g].ex)
  :: else -> counts = (IN_FORCE(e, g) && E[e].n == gw[g].ex)
  fi;
  if
  :: counts -> gw[g].mask = gw[g].mask | BIT(at)
  :: else -> gw[g].mask = gw[g].mask & ~BIT(at)
  fi;
  if
  :: counts && IN_FORCE(e, g) -> gw[g].ex = E[e].n + 1
  :: else
  fi
}

inline step_down(g) {
  gw[g].st = READER;
  gw[g].n = 0;
  gw[g].back = 0;
  gw[g].v0 = 0;
  gw[g].v1 = 0;
  gw[g].dirty = 0
}

inline fresh(g) {
  printf("g%d begins to read anew\n", g);
  step_down(g);
  gw[g].rd = 0;
  gw[g].last_bar = 0;
  gw[g].wt = 0;
  gw[g].wi = 0;
  gw[g].ex = 0;
  gw[g].mask = 0;
  gw[g].hi = 0
}

inline adopt(g) {
  gw[g].mask = (gw[g].mask & ~BELOW(E[b].read)) | E[b].mask;
  gw[g].wt = E[b].wt;
  gw[g].wi = E[b].wi;
  gw[g].ex = E[b].ex;
  p = E[b].read;
  do
  :: p < gw[g].rd ->
    if
    :: !(gone & BIT(p)) && E[log[p]].kind == DATA -> fold_data(g, p)
    :: else
    fi;
    p++
  :: else -> break
  od
}

inline say(at) {
  printf("place %d: key %d, told %d\n", at, E[log[at]].key, verdict);
  assert(said[at] == 0 || said[at] == verdict); /* AGREE */
  said[at] = verdict
}

/* Leads from here: has a verdict over each place that is left, and of each key the last value that counts. */
inline begin(g) {
  printf("g%d begins to lead\n", g);
  gw[g].st = LEADS;
  gw[g].n = 1;
  gw[g].back = 1;
  gw[g].dirty = 0;
  p = 0;
  k = 0;
  q = 0;
  do
  :: p < gw[g].rd ->
    e = log[p];
    if
    :: E[e].kind == DATA && said[p] > 0 && said[p] != VOID ->
      if /* what was told of each key so far, whether it is left or not */
      :: E[e].key == 0 -> k = E[e].v
      :: else -> q = E[e].v
      fi
    :: else
    fi;
    if
    :: !(gone & BIT(p)) && E[e].kind == DATA ->
      if
      :: gw[g].mask & BIT(p) ->
        verdict = E[e].v + 1;
        gw[g].dirty = gw[g].dirty & ~BIT(E[e].key);
        if
        :: E[e].key == 0 -> gw[g].v0 = E[e].v
        :: else -> gw[g].v1 = E[e].v
        fi
      :: else ->
        verdict = VOID;
        gw[g].dirty = gw[g].dirty | BIT(E[e].key)
      fi;
      say(p)
    :: else
    fi;
    p++
  :: else -> break
  od;
  assert(gw[g].v0 >= k && gw[g].v1 >= q); /* KEPT */
  assert(!REACH || !(g == 1 && compactions > 0 && k == 2))
}

inline read_barrier(g) {
  good = (E[b].read >= gw[g].last_bar || (gw[g].rd < horizon && !ALL_BARRIERS));
  if
  :: good ->
    if
    :: gw[g].rd < horizon && BY_DEDUP
    :: else -> adopt(g)
    fi;
    if
    :: !IN_FORCE(b, g) ->
      gw[g].wt = E[b].t;
      gw[g].wi = OF(b);
      gw[g].ex = 1
    :: else
    fi;
    if
    :: E[b].t == gw[g].t && OF(b) == g && gw[g].st == CLAIMS -> begin(g)
    :: E[b].t == gw[g].t && OF(b) == g && gw[g].st != CLAIMS -> gw[g].dirty = gw[g].dirty & 3
    :: else -> step_down(g)
    fi
  :: else ->
    if
    :: E[b].t == gw[g].t && OF(b) == g && gw[g].st == CLAIMS -> step_down(g)
    :: gw[g].st == LEADS -> gw[g].dirty = gw[g].dirty | 4
    :: else
    fi
  fi;
  if
  :: E[b].t > gw[g].hi -> gw[g].hi = E[b].t
  :: else
  fi;
  gw[g].last_bar = gw[g].rd + 1
}

inline read_data(g) {
  fold_data(g, gw[g].rd);
  if
  :: gw[g].st == LEADS ->
    if
    :: counts ->
      verdict = E[e].v + 1;
      gw[g].back++;
      gw[g].dirty = gw[g].dirty & ~BIT(E[e].key)
    :: else ->
      assert(REPAIRS); /* CLEAN */
      verdict = VOID;
      gw[g].dirty = gw[g].dirty | BIT(E[e].key)
    fi;
    p = gw[g].rd;
    say(p)
  :: else
  fi
}

inline read_one(g) {
  printf("g%d reads place %d\n", g, gw[g].rd);
  if
  :: gone & BIT(gw[g].rd)
  :: else ->
    b = log[gw[g].rd];
    if
    :: E[b].kind == BAR -> read_barrier(g)
    :: else -> read_data(g)
    fi
  fi;
  gw[g].rd++
}

inline send_barrier(g) {
  k = g * S + gw[g].sends;
  E[k].kind = BAR;
  E[k].t = gw[g].t;
  E[k].n = 0;
  E[k].read = gw[g].rd;
  E[k].wt = gw[g].wt;
  E[k].wi = gw[g].wi;
  E[k].ex = gw[g].ex;
  E[k].mask = gw[g].mask;
  printf("g%d sends #%d: barrier, term %d, read %d\n", g, k, gw[g].t, gw[g].rd);
  gw[g].sends++
}

inline send_data(g, of_key, version) {
  k = g * S + gw[g].sends;
  E[k].kind = DATA;
  E[k].t = gw[g].t;
  E[k].n = gw[g].n;
  E[k].key = of_key;
  E[k].v = version;
  printf("g%d sends #%d: term %d, count %d, key %d version %d\n", g, k, gw[g].t, gw[g].n, of_key, version);
  gw[g].n++;
  gw[g].sends++
}

inline arrive(x) {
  doubles = doubles + E[x].copies;
  E[x].copies++;
  if
  :: PASSES(x) ->
    printf("place %d: #%d\n", top, x);
    log[top] = x;
    top++;
    pushed[NAME(x)] = SEQUENCE(x)
  :: else -> printf("#%d is dropped by the broker\n", x)
  fi
}

/* The broker keeps of each key the newest record. Who had not read so far begins anew with what is left. */
inline compact() {
  compactions++;
  horizon = top;
  p = 0;
  do
  :: p < top ->
    q = p + 1;
    do
    :: q < top && KEY(log[q]) != KEY(log[p]) -> q++
    :: else -> break
    od;
    if
    :: (q < top && !SPARED(log[p])) || DROPPED(log[p]) -> gone = gone | BIT(p)
    :: else
    fi;
    p++
  :: else -> break
  od;
  printf("compacted below %d, gone %d\n", horizon, gone);
  p = 0;
  do
  :: p < G ->
    if
    :: gw[p].rd < horizon -> fresh(p)
    :: else
    fi;
    p++
  :: else -> break
  od;
  p = 0
}

#define CAN_ARRIVE(m) \
  (m < G * S && top < N && (m % S) < gw[(m / S) % G].sends && \
   (E[m % (G * S)].copies == 0 || (E[m % (G * S)].copies == 1 && doubles < DOUBLES)))
#define ARRIVE(m) arrive(m % (G * S))

active proctype world() {
end_world:
  do
  :: d_step { CAN_ARRIVE(0) -> ARRIVE(0) }
  :: d_step { CAN_ARRIVE(1) -> ARRIVE(1) }
  :: d_step { CAN_ARRIVE(2) -> ARRIVE(2) }
  :: d_step { CAN_ARRIVE(3) -> ARRIVE(3) }
  :: d_step { CAN_ARRIVE(4) -> ARRIVE(4) }
  :: d_step { CAN_ARRIVE(5) -> ARRIVE(5) }
  :: d_step { CAN_ARRIVE(6) -> ARRIVE(6) }
  :: d_step { CAN_ARRIVE(7) -> ARRIVE(7) }
  :: d_step { CAN_ARRIVE(8) -> ARRIVE(8) }
  :: d_step { CAN_ARRIVE(9) -> ARRIVE(9) }
  :: d_step { compactions < COMPACTIONS && top > horizon -> compact() }
  od
}

#define ME (_pid - 1)
#define MAY_SEND (gw[ME].sends < S)
#define LAST (ME * S + gw[ME].sends - (gw[ME].sends > 0))
#define MAY_WRITE (MAY_SEND && gw[ME].st == LEADS && gw[ME].n - gw[ME].back < 1 + (OUT == MANY_IN_FLIGHT))
#define CLEAN(key) (!(gw[ME].dirty & BIT(key)))

active [G] proctype gateway() {
end_gateway:
  do
  :: d_step { gw[ME].rd < top -> read_one(ME) }
  :: d_step { gw[ME].st != LEADS && MAY_SEND && (ME == 0 || gw[0].sends > 0) &&
      (gw[ME].st == READER || gw[ME].rd > E[LAST].read) ->
      gw[ME].t = (gw[ME].hi > gw[ME].t -> gw[ME].hi : gw[ME].t) + 1;
      gw[ME].st = CLAIMS;
      send_barrier(ME) }
  :: d_step { MAY_WRITE && CLEAN(0) && gw[ME].v0 < V -> gw[ME].v0++; send_data(ME, 0, gw[ME].v0) }
  :: d_step { MAY_WRITE && K > 1 && CLEAN(1) && gw[ME].v1 < V -> gw[ME].v1++; send_data(ME, 1, gw[ME].v1) }
  :: d_step { REPAIRS && MAY_WRITE && !CLEAN(0) -> send_data(ME, 0, gw[ME].v0); gw[ME].dirty = gw[ME].dirty & ~1 }
  :: d_step { REPAIRS && MAY_WRITE && !CLEAN(1) -> send_data(ME, 1, gw[ME].v1); gw[ME].dirty = gw[ME].dirty & ~2 }
  :: d_step { REPAIRS && MAY_SEND && gw[ME].st == LEADS && !CLEAN(2) -> send_barrier(ME); gw[ME].dirty = gw[ME].dirty & ~4 }
  od
}
