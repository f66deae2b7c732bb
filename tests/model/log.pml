/*
 * The rule of the log (docs/offsets.md, sections 2 to 6): G gateways lead one partition in turn, or believe they do.
 *
 *   E           what was ever sent, barriers and data, S places for each gateway. An entry may come into the log never, at
 *               any later time, or twice
 *   log[0..top) the log: the place of an entry is its index here. Places below `start` have been trimmed
 *   gw[g]       what a gateway has read and what it believes; a pause is a gateway that takes no step
 *
 * One producer sends the values 1, 2, ... in order, two at a time, and tries again for ever with whoever leads. What a gateway
 * tells anybody (an acknowledgement, a fetched record, a high watermark) is its verdict over each place: `said`. The
 * properties are the assertions:
 *   AGREE  what one gateway has said of a place, no other contradicts, after trimming neither
 *   ORDER  values that were said to be valid are 1, 2, 3, ... in the order of their places: none lost, doubled or moved
 *
 * With FOREIGN so many entries come in that no gateway wrote: a native producer's, and what was replicated from another cluster,
 * data with a stamp and a barrier. Who sent such data has a receipt: it is told of as soon as it is there.
 *
 * With ASSIGNED the log has no index. A value's offset is what its leader gave it, and
 *   OFFSETS  the offsets that are told rise with the places, and are what the fold says
 *
 * Each part of the rule can be taken out with -DOUT=NAME, one at a time; `run` knows what must happen then.
 */
#ifndef G
#define G 2 /* gateways */
#endif
#ifndef N
#define N 6 /* places in the log */
#endif
#ifndef M
#define M 5 /* entries that are sent */
#endif
#ifndef S
#define S 4 /* entries that one gateway sends */
#endif
#ifndef V
#define V 3 /* values of the producer */
#endif
#ifndef LEDGERS
#define LEDGERS 2
#endif
#ifndef DOUBLES
#define DOUBLES 1 /* entries that come twice */
#endif
#ifndef CRASHES
#define CRASHES 1 /* gateways that lose their memory */
#endif
#ifndef SAVES
#define SAVES 0 /* 1: one that lost it may begin at a saved state, which is what one of the gateways believes */
#endif
#ifndef FOREIGN
#define FOREIGN 0 /* entries that come from outside */
#endif
#ifndef ASSIGNED
#define ASSIGNED 0
#endif

#ifndef OUT
#define OUT 0
#endif
/* 2: the stamp */
#define NO_TERM 1
#define NO_OWN_TERM 2         /* a term above those read, but not above those claimed */
#define NO_INCARNATION 3
#define NO_NEW_INCARNATION 4  /* one that lost its memory goes on as the same */
#define NO_FOREIGN_STAMP 5    /* what was replicated is judged by its stamp */
#define NO_FOREIGN_BARRIER 6  /* a replicated barrier is a barrier */
/* 3, rule 1 */
#define NO_FIRST_WINS 10      /* each barrier is good */
#define HIGHEST_TERM_WINS 11
#define NO_BAD_BETWEEN 12     /* only a good barrier stands between */
/* 3, rule 2 */
#define NO_BARRIER_STATE 20
#define NO_STATED_FORCE 21
#define NO_STATED_ORDINAL 22
#define NO_STATED_VOIDS 23
#define NO_SECOND_FOLD 24
#define NO_COMING_IN_FORCE 25
#define NO_ORDINAL_0 26
#define NO_FURTHER 27         /* a leader's further barrier begins its ordinals anew */
/* 3, rules 3 and 4 */
#define NO_STAMP 30           /* an ordinal counts, whoever wrote it */
#define NO_SEEN_CHECK 31
#define NO_GAP_STOP 32
#define NO_FOREIGN 33
/* 3, where a fold begins */
#define NO_NOBODY 40          /* who knows nothing takes the first stamp for the one in force */
#define NO_LEFT_SAVE 41       /* a saved state is used, whatever was trimmed since */
#define NO_KNOWN_READ 42      /* rule 5 */
#define READ_ELSEWHERE 43     /* rule 5: or narrower: the author had read more than the first entry that is left */
#define READ_TO_THE_END 44    /* rule 5, wider: the author had read the ledger before to its end */
#define NO_START_CHECK 45
/* 4: the leader */
#define NO_BARRIER_FIRST 50   /* it writes before its barrier came back */
#define NO_STEP_DOWN 51       /* it goes on when another's barrier is good */
#define NO_FLIGHT_CHECK 52    /* a retry is compared with what was told, not with what is in flight */
#define NO_TAIL 53            /* a receipt is an acknowledgement */
#define NO_LEDGER_BARRIER 54  /* rule 6 */
#define READ_BEFORE_LEDGER 55 /* rule 6, wider: the barrier's author had read the ledger before */
#define TELLS_OF_GONE 56
/* 6: assigned offsets */
#define NO_STATED_OFFSET 60
#define NO_RESERVED_START 61
#define NO_RESERVE_FIRST 62

#define BAR 1
#define DATA 2
#define NATIVE 3
#define READER 0
#define CLAIMS 1
#define LEADS 2
#define VOID 255
#define COUNTS 254

typedef Entry {
  unsigned kind : 2, t : 3, inc : 1; /* term; with its author, the incarnation */
  unsigned o : 2, v : 2;           /* data: ordinal, value */
  unsigned read : 4;               /* barrier: its author had read the places below */
  unsigned wt : 3, wi : 3, ex : 2; /* barrier: who was in force at `read`, the next ordinal there */
  unsigned mask : 8;               /* barrier: bit p is set if the data at place p < read is valid */
#if ASSIGNED
  unsigned off : 3;                /* data: its offset; barrier: the next offset at `read` */
#endif
  unsigned copies : 2              /* how often it has come into the log */
}

typedef Gateway {
  unsigned st : 2, inc : 1;          /* state, how often it has started again */
  unsigned rd : 4, from : 4;         /* next place to read, place where it began to read */
  unsigned last_bar : 4;             /* place behind the last barrier that it has read */
  unsigned cover : 4;                /* highest `read` of the barriers that it holds good */
  unsigned wt : 3, wi : 3, ex : 2;   /* who is in force, the next ordinal */
  unsigned mask : 8;                 /* which places it holds valid */
  unsigned hi : 3;                   /* highest term seen */
  unsigned t : 3;                    /* last term that it claimed */
  unsigned ord : 2, lastv : 2, hw : 4; /* as a leader: next ordinal to send, last value sent, high watermark */
  unsigned asked : 1,                /* as a leader: a barrier for a new ledger is under way */
#if ASSIGNED
    next : 3, knows : 1,             /* the next offset, and whether it is known */
    first : 3,                       /* as a leader: the offset of ordinal 0 */
#endif
    sends : 4                        /* entries that it has sent */
}

#define OWN (G * S)
#if FOREIGN
Entry E[OWN + 3]; /* the last three come from outside */
#define FROM_OUTSIDE(e) ((e) >= OWN)
#else
Entry E[OWN];
#define FROM_OUTSIDE(e) (false)
#endif
byte sent = 0, log[N], top = 0, start = 0;
byte ledger1 = 0, ledger2 = 0; /* first places of the later ledgers, 0 when there is none */
byte doubles = 0, crashes = 0, outside = 0;
Gateway gw[G];
/* What has been told of each place: VOID, COUNTS (it is foreign) or the value; the last value acknowledged. */
byte said[N], acked = 0;
#if ASSIGNED
byte reserved = 0, toldnext = 0; /* what the catalogue says is reserved; the offset behind the last one told */
#endif

#if REACH == 2
byte first_author = 0; /* of value 1, once it was told: the gateway that wrote it, and 1 */
#endif

hidden byte e, p, k, author, verdict, good;

/* Incarnations: of a gateway, of the author of an entry. Another cluster's may have the number of one of ours. */
#define ID(g) (g + G * gw[g].inc)
#define OF(e) (FROM_OUTSIDE(e) -> 0 : (e) / S + G * E[e].inc)
#define BIT(p) (1 << (p))
#define BELOW(p) ((1 << (p)) - 1)
#define LEDGER(p) ((ledger2 && (p) >= ledger2) -> ledger2 : ((ledger1 && (p) >= ledger1) -> ledger1 : 0))

/* Whether two stamps are one: term and incarnation. Terms begin at 1. */
#define SAME(t1, i1, t2, i2) \
  (OUT == NO_TERM -> ((t2) && (i1) == (i2)) : (OUT == NO_INCARNATION -> (t1) == (t2) : ((t1) == (t2) && (i1) == (i2))))
#define MINE(g, e) (!FROM_OUTSIDE(e) && E[e].t == gw[g].t && OF(e) == ID(g))

/* Foreign data count, whatever stamp they bear; a foreign barrier is a hole. */
#define FOREIGN_COUNTS(e) \
  (OUT != NO_FOREIGN && FROM_OUTSIDE(e) && (E[e].kind == NATIVE || (E[e].kind == DATA && OUT != NO_FOREIGN_STAMP)))
#define IS_BARRIER(e) (E[e].kind == BAR && (!FROM_OUTSIDE(e) || OUT == NO_FOREIGN_BARRIER))

/* Whether a data entry has the stamp and the ordinal that its place asks for. */
#define IN_FORCE(e, g) (OUT == NO_STAMP -> gw[g].wt > 0 : SAME(E[e].t, OF(e), gw[g].wt, gw[g].wi))
#define IN_TURN(e, g) \
  (OUT == NO_SEEN_CHECK -> E[e].o <= gw[g].ex : (OUT == NO_GAP_STOP -> E[e].o >= gw[g].ex : E[e].o == gw[g].ex))

/*
 * Whether the place up to which a barrier's author had read is one that the reader knows. Of a ledger that was gone when it began
 * it knows nothing, and so not how many entries followed that place. Places are numbered without gaps here, so that READ_TO_THE_END
 * can tell a `read` at the very end of what is gone; a MessageId does not tell.
 */
#define KNOWN(g, b) \
  (gw[g].from == 0 || OUT == NO_KNOWN_READ || \
   E[b].read + (OUT == READ_TO_THE_END) - (OUT == READ_ELSEWHERE) > gw[g].from)

/* Whether a barrier is good: no other stands between the place up to which its author had read and its own. */
#define HIGHER(g, b) (E[b].t > gw[g].hi || SAME(E[b].t, OF(b), gw[g].wt, gw[g].wi))
#define FIRST(g, b) (KNOWN(g, b) && E[b].read >= gw[g].last_bar)
#define GOOD(g, b) (OUT == NO_FIRST_WINS -> 1 : (OUT == HIGHEST_TERM_WINS -> HIGHER(g, b) : FIRST(g, b)))

/* Whether a leader may tell of a place: the author of a good barrier had read something of its ledger. */
#define COVERED(g, at) \
  (OUT == NO_LEDGER_BARRIER || LEDGER(at) == 0 || gw[g].cover + (OUT == READ_BEFORE_LEDGER) > LEDGER(at))

/*
 * That the search comes this far: (1) a second gateway leads in a trimmed log and tells of the second value, (2) it tells of a second value
 * of its own behind a first one of the other's.
 */
#ifndef REACH
#define REACH 0
#endif

inline fold_data(g, at) {
  e = log[at];
  if
  :: OUT == NO_NOBODY && gw[g].wt == 0 && E[e].kind == DATA && !FROM_OUTSIDE(e) ->
    gw[g].wt = E[e].t;
    gw[g].wi = OF(e);
    gw[g].ex = E[e].o
  :: else
  fi;
  if
  :: E[e].kind == DATA && !FOREIGN_COUNTS(e) && IN_FORCE(e, g) && IN_TURN(e, g) ->
    gw[g].mask = gw[g].mask | BIT(at);
    gw[g].ex = E[e].o + 1;
#if ASSIGNED
    assert(E[e].off == gw[g].next || OUT); /* OFFSETS */
    gw[g].next = E[e].off + 1;
    gw[g].knows = 1
#endif
  :: else -> gw[g].mask = gw[g].mask & ~BIT(at)
  fi
}

/* A good barrier speaks for all before it: its author's verdicts below `read`, and from there on the fold goes on. */
inline adopt(g, b) {
  if
  :: OUT != NO_STATED_VOIDS -> gw[g].mask = (gw[g].mask & ~BELOW(E[b].read)) | E[b].mask
  :: else
  fi;
  if
  :: OUT != NO_STATED_FORCE -> gw[g].wt = E[b].wt; gw[g].wi = E[b].wi
  :: else
  fi;
  if
  :: OUT != NO_STATED_ORDINAL -> gw[g].ex = E[b].ex
  :: else
  fi;
#if ASSIGNED
  if
  :: OUT != NO_STATED_OFFSET -> gw[g].next = E[b].off; gw[g].knows = 1
  :: else
  fi;
#endif
  p = (E[b].read > gw[g].from -> E[b].read : gw[g].from);
  do
  :: p < gw[g].rd && OUT != NO_SECOND_FOLD -> fold_data(g, p); p++
  :: else -> break
  od
}

inline step_down(g) {
  gw[g].st = READER;
  gw[g].ord = 0;
  gw[g].lastv = 0;
  gw[g].hw = 0;
#if ASSIGNED
  gw[g].first = 0;
#endif
  gw[g].asked = 0
}

/* Begins to read at the log's start, knowing nothing of what stood before it. */
inline fresh(g) {
  printf("g%d begins to read at %d\n", g, start);
  step_down(g);
  gw[g].rd = start;
  gw[g].from = start;
  gw[g].last_bar = 0;
  gw[g].cover = 0;
  gw[g].wt = 0;
  gw[g].wi = 0;
  gw[g].ex = 0;
  gw[g].mask = 0;
#if ASSIGNED
  gw[g].next = 0;
  gw[g].knows = (start == 0);
#endif
  gw[g].hi = 0
}

/* Begins at a saved state: what `other` believes. */
inline restore(g, other) {
  printf("g%d begins at what g%d believes, place %d\n", g, other, gw[other].rd);
  step_down(g);
  gw[g].rd = (gw[other].rd < start -> start : gw[other].rd);
  gw[g].from = gw[other].from;
  gw[g].last_bar = gw[other].last_bar;
  gw[g].cover = gw[other].cover;
  gw[g].wt = gw[other].wt;
  gw[g].wi = gw[other].wi;
  gw[g].ex = gw[other].ex;
  gw[g].mask = gw[other].mask;
#if ASSIGNED
  gw[g].next = gw[other].next;
  gw[g].knows = gw[other].knows;
#endif
  gw[g].hi = gw[other].hi
}
#define MAY_RESTORE(other) (SAVES && (start == 0 || gw[other].rd > start || OUT == NO_LEFT_SAVE))
#define NEW_LIFE(g) \
  crashes++; \
  gw[g].inc = gw[g].inc + (OUT != NO_NEW_INCARNATION); \
  gw[g].t = 0

/* The producer's state, as far as a gateway has read: of values trimmed away the saved state tells. */
inline producer(g) {
  gw[g].lastv = acked;
  p = gw[g].from;
  do
  :: p < gw[g].rd ->
    if
    :: (gw[g].mask & BIT(p)) && E[log[p]].v > gw[g].lastv -> gw[g].lastv = E[log[p]].v
    :: else
    fi;
    p++
  :: else -> break
  od
}

/* Its barrier came back and is good: it leads from here, behind the last value that counts. */
inline begin(g) {
  gw[g].st = LEADS;
  gw[g].hw = gw[g].from;
  if
  :: OUT != NO_BARRIER_FIRST ->
    producer(g);
#if ASSIGNED
    gw[g].first = (gw[g].knows -> gw[g].next : reserved)
#endif
  :: else
  fi
}

inline fold_barrier(g, b) {
  good = GOOD(g, b);
  if
  :: good ->
    if
    :: OUT != NO_BARRIER_STATE -> adopt(g, b)
    :: else
    fi;
    if
    :: E[b].read > gw[g].cover -> gw[g].cover = E[b].read
    :: else
    fi;
    if
    :: !SAME(E[b].t, OF(b), gw[g].wt, gw[g].wi) && (OUT != NO_COMING_IN_FORCE || gw[g].wt == 0) ->
      gw[g].wt = E[b].t;
      gw[g].wi = OF(b);
      gw[g].ex = (OUT == NO_ORDINAL_0 -> gw[g].ex : 0)
    :: else ->
      gw[g].ex = (OUT == NO_FURTHER -> 0 : gw[g].ex)
    fi;
    if
    :: SAME(E[b].t, OF(b), gw[g].t, ID(g)) ->
      if
      :: gw[g].st == CLAIMS -> begin(g)
      :: else -> gw[g].asked = 0
      fi
    :: else ->
      if
      :: OUT == NO_STEP_DOWN && gw[g].st == LEADS
      :: else -> step_down(g)
      fi
    fi
  :: else ->
    if
    :: MINE(g, b) && gw[g].st == CLAIMS -> step_down(g)
    :: MINE(g, b) && gw[g].st == LEADS -> gw[g].asked = 0
    :: else
    fi
  fi;
  if
  :: E[b].t > gw[g].hi -> gw[g].hi = E[b].t
  :: else
  fi;
  if
  :: good || OUT != NO_BAD_BETWEEN -> gw[g].last_bar = gw[g].rd + 1
  :: else
  fi
}

/* Values that are passed over must have been trimmed away before anybody was told of them. */
inline passed(value) {
  do
  :: acked + 1 < value ->
    k = 0;
    do
    :: k < start && E[log[k]].v != acked + 1 -> k++
    :: else -> break
    od;
    assert(k < start); /* ORDER */
    acked++
  :: else -> break
  od
}

/* Tells of a place for the first time. */
inline tell_value(at) {
  assert(verdict > acked); /* ORDER */
  passed(verdict);
  acked = verdict;
#if REACH == 2
  first_author = (verdict == 1 -> log[at] / S + 1 : first_author);
#endif
#if ASSIGNED
  assert(E[log[at]].off >= toldnext); /* OFFSETS */
  toldnext = E[log[at]].off + 1;
#endif
  skip
}

#if ASSIGNED
#define IS_RESERVED(g, at) (!(gw[g].mask & BIT(at)) || E[log[at]].off < reserved || OUT == NO_RESERVE_FIRST)
#else
#define IS_RESERVED(g, at) (true)
#endif

/* A leader tells what it has read, up to the first place whose ledger no good barrier covers. */
inline tell(g) {
  if
  :: gw[g].hw < start && OUT != TELLS_OF_GONE -> gw[g].hw = start
  :: else
  fi;
  do
  :: gw[g].hw < gw[g].rd && COVERED(g, gw[g].hw) && IS_RESERVED(g, gw[g].hw) ->
    p = gw[g].hw;
    verdict = (FOREIGN_COUNTS(log[p]) -> COUNTS : ((gw[g].mask & BIT(p)) -> E[log[p]].v : VOID));
    printf("g%d tells of place %d: %d\n", g, p, verdict);
    if
    :: said[p] -> assert(said[p] == verdict) /* AGREE */
    :: else ->
      said[p] = verdict;
      if
      :: verdict < COUNTS -> tell_value(p)
      :: else
      fi
    fi;
    gw[g].hw++;
    assert(REACH != 1 || !(g == 1 && acked == 2 && start > 0));
#if REACH == 2
    assert(!(verdict == 2 && log[p] / S == 1 && first_author == 1));
#endif
    skip
  :: else -> break
  od
}

inline read_one(g) {
  printf("g%d reads place %d\n", g, gw[g].rd);
  e = log[gw[g].rd];
  if
  :: IS_BARRIER(e) -> k = e; fold_barrier(g, k)
  :: else -> fold_data(g, gw[g].rd)
  fi;
  gw[g].rd++;
  if
  :: gw[g].st == LEADS -> tell(g)
  :: else
  fi
}

/* At a new ledger: a reader that trimming has overtaken, in the ledger that it had just read to the end, begins afresh. */
inline overtaken(g) {
  if
  :: OUT != NO_START_CHECK -> fresh(g)
  :: else -> gw[g].rd = start
  fi
}
#define OVERTAKEN(g) (gw[g].from < start && (gw[g].rd < start || (gw[g].rd == start && OUT != NO_START_CHECK && OUT != NO_LEFT_SAVE)))

#define MAY_SEND(g) (sent < M && gw[g].sends < S)
#define LAST(g) (g * S + gw[g].sends - (gw[g].sends > 0))

inline send_barrier(g) {
  k = g * S + gw[g].sends;
  E[k].kind = BAR;
  E[k].t = gw[g].t;
  E[k].inc = gw[g].inc;
  E[k].read = gw[g].rd;
  E[k].wt = gw[g].wt;
  E[k].wi = gw[g].wi;
  E[k].ex = gw[g].ex;
  E[k].mask = gw[g].mask;
#if ASSIGNED
  E[k].off = (gw[g].knows || OUT == NO_RESERVED_START -> gw[g].next : reserved);
#endif
  printf("g%d sends #%d: barrier term %d inc %d read %d in force %d/%d next %d mask %d\n", g, k, gw[g].t, ID(g), gw[g].rd, gw[g].wt, gw[g].wi, gw[g].ex, gw[g].mask);
  gw[g].sends++;
  sent++
}

inline claim(g) {
  gw[g].t = (gw[g].hi > gw[g].t || OUT == NO_OWN_TERM -> gw[g].hi : gw[g].t) + 1;
  gw[g].st = CLAIMS;
  if
  :: OUT == NO_BARRIER_FIRST -> gw[g].ord = 0; producer(g)
  :: else
  fi;
  send_barrier(g)
}

inline send_data(g) {
  gw[g].lastv = (OUT == NO_FLIGHT_CHECK && gw[g].lastv > acked -> acked : gw[g].lastv) + 1;
  k = g * S + gw[g].sends;
  E[k].kind = DATA;
  E[k].t = gw[g].t;
  E[k].inc = gw[g].inc;
  E[k].o = gw[g].ord;
  E[k].v = gw[g].lastv;
#if ASSIGNED
  E[k].off = gw[g].first + gw[g].ord;
#endif
  printf("g%d sends #%d: data term %d inc %d ordinal %d value %d\n", g, k, gw[g].t, ID(g), gw[g].ord, gw[g].lastv);
  gw[g].ord++;
  gw[g].sends++;
  sent++
}

inline arrive(x) {
  k = x;
  author = k / S;
  if
  :: OUT == NO_TAIL && E[k].kind == DATA && E[k].copies == 0 && gw[author].st == LEADS && gw[author].t == E[k].t && ID(author) == OF(k) ->
    said[top] = E[k].v;
    acked = (acked > E[k].v -> acked : E[k].v)
  :: else
  fi;
  doubles = doubles + E[k].copies;
  printf("place %d: #%d\n", top, k);
  log[top] = k;
  top++;
  E[k].copies++
}

#if FOREIGN
/* From outside: a native message; data and a barrier of another cluster, with the stamp of our first leader. */
inline outside_world() {
  E[OWN].kind = NATIVE;
  E[OWN + 1].kind = DATA;
  E[OWN + 1].t = 1;
  E[OWN + 2].kind = BAR;
  E[OWN + 2].t = 2;
  E[OWN + 2].read = 15
}

inline arrive_from_outside(x) {
  printf("place %d: from outside, kind %d\n", top, E[x].kind);
  said[top] = (E[x].kind == BAR -> 0 : COUNTS);
  log[top] = x;
  top++;
  outside++
}
#endif

#define CAN_ARRIVE(n) \
  (n < OWN && top < N && (n % S) < gw[(n / S) % G].sends && \
   (E[n % OWN].copies == 0 || (E[n % OWN].copies == 1 && doubles < DOUBLES)))
#define ARRIVE(n) arrive(n % OWN)

/* Ledgers roll over at any time; the broker trims whole ledgers, and whatever it likes of those that are closed. */
active proctype world() {
#if FOREIGN
  d_step { outside_world() };
#endif
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
  :: d_step { CAN_ARRIVE(10) -> ARRIVE(10) }
  :: d_step { CAN_ARRIVE(11) -> ARRIVE(11) }
#if FOREIGN
  :: d_step { outside < FOREIGN && top < N -> arrive_from_outside(OWN) }
  :: d_step { outside < FOREIGN && top < N -> arrive_from_outside(OWN + 1) }
  :: d_step { outside < FOREIGN && top < N -> arrive_from_outside(OWN + 2) }
#endif
  :: d_step { LEDGERS > 1 && ledger1 == 0 && top > 0 && top < N -> ledger1 = top; printf("ledger from %d\n", top) }
  :: d_step { LEDGERS > 2 && ledger1 > 0 && ledger2 == 0 && top > ledger1 && top < N -> ledger2 = top; printf("ledger from %d\n", top) }
  :: d_step { ledger1 > start -> start = ledger1; printf("trimmed to %d\n", start) }
  :: d_step { ledger2 > start -> start = ledger2; printf("trimmed to %d\n", start) }
  od
}

#define ME (_pid - 1)
#define OTHER ((ME + 1) % G)
#define MAY_WRITE(g) (gw[g].st == LEADS || (OUT == NO_BARRIER_FIRST && gw[g].st == CLAIMS))

active [G] proctype gateway() {
#if ASSIGNED
  d_step { gw[ME].knows = 1 };
#endif
end_gateway:
  do
  :: d_step { gw[ME].rd < top && gw[ME].rd >= start && !OVERTAKEN(ME) -> read_one(ME) }
  :: d_step { OVERTAKEN(ME) -> overtaken(ME) }
  :: d_step { gw[ME].st != LEADS && gw[ME].rd >= start && !OVERTAKEN(ME) && MAY_SEND(ME) && (ME == 0 || sent > 0) &&
      (gw[ME].st == READER || gw[ME].rd > E[LAST(ME)].read) -> claim(ME) }
  :: d_step { MAY_WRITE(ME) && MAY_SEND(ME) && gw[ME].lastv < V && gw[ME].lastv < acked + 2 -> send_data(ME) }
  :: d_step { gw[ME].st == LEADS && MAY_SEND(ME) && !gw[ME].asked && gw[ME].rd > 0 && !COVERED(ME, gw[ME].rd - 1) ->
      gw[ME].asked = 1;
      send_barrier(ME) }
  :: d_step { crashes < CRASHES && gw[ME].rd > 0 -> NEW_LIFE(ME); fresh(ME) }
#if SAVES
  :: d_step { crashes < CRASHES && MAY_RESTORE(ME) -> NEW_LIFE(ME); restore(ME, ME) }
  :: d_step { crashes < CRASHES && MAY_RESTORE(OTHER) -> NEW_LIFE(ME); restore(ME, OTHER) }
#endif
#if ASSIGNED
  :: d_step { gw[ME].st == LEADS && gw[ME].first + gw[ME].ord > reserved -> reserved = gw[ME].first + gw[ME].ord; printf("reserved %d\n", reserved) }
#endif
  od
}
