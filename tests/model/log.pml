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
 * Each part of the rule goes with -DNO_x: see the list in `run`.
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

#define BAR 1
#define DATA 2
#define READER 0
#define CLAIMS 1
#define LEADS 2
#define VOID 255

typedef Entry {
  unsigned kind : 2, t : 3, inc : 1; /* term; with its author, the incarnation */
  unsigned o : 2, v : 2;           /* data: ordinal, value */
  unsigned read : 4;               /* barrier: its author had read the places below */
  unsigned wt : 3, wi : 3, ex : 2; /* barrier: who was in force at `read`, the next ordinal there */
  unsigned mask : 8;               /* barrier: bit p is set if the data at place p < read is valid */
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
    sends : 4                          /* entries that it has sent */
}

Entry E[G * S];
byte sent = 0, log[N], top = 0, start = 0;
byte ledger1 = 0, ledger2 = 0; /* first places of the later ledgers, 0 when there is none */
byte doubles = 0, crashes = 0;
Gateway gw[G];
/* What has been told: of each place below `told`, VOID or the value; the last value acknowledged. */
byte said[N], told = 0, acked = 0;

hidden byte e, p, k, author, verdict, good;

/* Incarnations: of a gateway, of the author of an entry. */
#define ID(g) (g + G * gw[g].inc)
#define OF(e) ((e) / S + G * E[e].inc)
#define BIT(p) (1 << (p))
#define BELOW(p) ((1 << (p)) - 1)
#define LEDGER(p) ((ledger2 && (p) >= ledger2) -> ledger2 : ((ledger1 && (p) >= ledger1) -> ledger1 : 0))

/* Whether two stamps are one: term and incarnation. Terms begin at 1. */
#if defined(NO_TERM)
#define SAME(t1, i1, t2, i2) ((t2) && (i1) == (i2))
#elif defined(NO_INCARNATION)
#define SAME(t1, i1, t2, i2) ((t1) == (t2))
#else
#define SAME(t1, i1, t2, i2) ((t1) == (t2) && (i1) == (i2))
#endif

/* Whether a data entry has the ordinal that its place asks for. */
#if defined(NO_SEEN_CHECK)
#define IN_TURN(e, g) (E[e].o <= gw[g].ex)
#elif defined(NO_GAP_STOP)
#define IN_TURN(e, g) (E[e].o >= gw[g].ex)
#else
#define IN_TURN(e, g) (E[e].o == gw[g].ex)
#endif

/* Whether a barrier counts: no other stands between the place up to which its author had read and its own. */
#if defined(NO_FIRST_WINS)
#define GOOD(g, b) (true)
#elif defined(HIGHEST_TERM_WINS)
#define GOOD(g, b) (E[b].t > gw[g].hi || SAME(E[b].t, OF(b), gw[g].wt, gw[g].wi))
#else
#define GOOD(g, b) (E[b].read >= gw[g].last_bar)
#endif

#ifdef NO_BARRIER_STATE
#define ADOPT(g, b) skip
#else
#define ADOPT(g, b) adopt(g, b)
#endif

/* Whether a leader may tell of a place: the author of a good barrier had read something of its ledger. */
#ifdef NO_LEDGER_BARRIER
#define COVERED(g, at) (true)
#else
#define COVERED(g, at) (LEDGER(at) == 0 || gw[g].cover > LEDGER(at))
#endif

/* That the search comes this far: a second gateway leads in a trimmed log and tells of the second value. */
#ifndef REACH
#define REACH 0
#endif

/* The receipt of the broker is taken for the answer. */
#ifndef ACK_ON_RECEIPT
#define ACK_ON_RECEIPT 0
#endif

inline fold_data(g, at) {
  e = log[at];
  if
  :: E[e].kind == DATA && SAME(E[e].t, OF(e), gw[g].wt, gw[g].wi) && IN_TURN(e, g) ->
    gw[g].mask = gw[g].mask | BIT(at);
    gw[g].ex = E[e].o + 1
  :: else -> gw[g].mask = gw[g].mask & ~BIT(at)
  fi
}

/* A good barrier speaks for all before it: its author's verdicts below `read`, and from there on the fold goes on. */
inline adopt(g, b) {
  gw[g].mask = (gw[g].mask & ~BELOW(E[b].read)) | E[b].mask;
  gw[g].wt = E[b].wt;
  gw[g].wi = E[b].wi;
  gw[g].ex = E[b].ex;
  p = (E[b].read > gw[g].from -> E[b].read : gw[g].from);
  do
  :: p < gw[g].rd -> fold_data(g, p); p++
  :: else -> break
  od
}

inline step_down(g) {
  gw[g].st = READER;
  gw[g].ord = 0;
  gw[g].lastv = 0;
  gw[g].hw = 0;
  gw[g].asked = 0
}

/*
 * Begins to read at the log's start, knowing nothing of what stood before it: it believes a barrier only if its author had
 * read something of the first ledger that is left.
 */
inline fresh(g) {
  printf("g%d begins to read at %d\n", g, start);
  step_down(g);
  gw[g].rd = start;
  gw[g].from = start;
  gw[g].last_bar = start + (start > 0);
  gw[g].cover = 0;
  gw[g].wt = 0;
  gw[g].wi = 0;
  gw[g].ex = 0;
  gw[g].mask = 0;
  gw[g].hi = 0
}

/* Its barrier came back and is good: it leads from here, behind the last value that counts. */
inline begin(g) {
  gw[g].st = LEADS;
  gw[g].hw = gw[g].from;
  gw[g].lastv = acked; /* of values trimmed away the saved state tells */
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

inline fold_barrier(g, b) {
  good = GOOD(g, b);
  if
  :: good ->
    ADOPT(g, b);
    if
    :: E[b].read > gw[g].cover -> gw[g].cover = E[b].read
    :: else
    fi;
    if
    :: !SAME(E[b].t, OF(b), gw[g].wt, gw[g].wi) ->
      gw[g].wt = E[b].t;
      gw[g].wi = OF(b);
      gw[g].ex = 0
    :: else
    fi;
    if
    :: SAME(E[b].t, OF(b), gw[g].t, ID(g)) ->
      if
      :: gw[g].st == CLAIMS -> begin(g)
      :: else -> gw[g].asked = 0
      fi
    :: else -> step_down(g)
    fi
  :: else ->
    if
    :: E[b].t == gw[g].t && OF(b) == ID(g) && gw[g].st == CLAIMS -> step_down(g)
    :: E[b].t == gw[g].t && OF(b) == ID(g) && gw[g].st == LEADS -> gw[g].asked = 0
    :: else
    fi
  fi;
  if
  :: E[b].t > gw[g].hi -> gw[g].hi = E[b].t
  :: else
  fi;
  gw[g].last_bar = gw[g].rd + 1
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

/* A leader tells what it has read, up to the first place whose ledger no good barrier covers. */
inline tell(g) {
  if
  :: gw[g].hw < start -> gw[g].hw = start
  :: else
  fi;
  do
  :: gw[g].hw < gw[g].rd && COVERED(g, gw[g].hw) ->
    p = gw[g].hw;
    verdict = ((gw[g].mask & BIT(p)) -> E[log[p]].v : VOID);
    printf("g%d tells of place %d: %d\n", g, p, verdict);
    if
    :: said[p] -> assert(said[p] == verdict) /* AGREE */
    :: else ->
      said[p] = verdict;
      if
      :: verdict != VOID ->
        assert(verdict > acked); /* ORDER */
        passed(verdict);
        acked = verdict
      :: else
      fi
    fi;
    gw[g].hw++;
    if
    :: gw[g].hw > told -> told = gw[g].hw
    :: else
    fi;
    assert(!REACH || !(g == 1 && acked == 2 && start > 0))
  :: else -> break
  od
}

inline read_one(g) {
  printf("g%d reads place %d\n", g, gw[g].rd);
  e = log[gw[g].rd];
  if
  :: E[e].kind == BAR -> k = e; fold_barrier(g, k)
  :: else -> fold_data(g, gw[g].rd)
  fi;
  gw[g].rd++;
  if
  :: gw[g].st == LEADS -> tell(g)
  :: else
  fi
}

/* A reader that trimming has overtaken begins afresh. */
#ifdef NO_START_CHECK
#define OVERTAKEN(g) gw[g].rd = start
#else
#define OVERTAKEN(g) fresh(g)
#endif

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
  printf("g%d sends #%d: barrier term %d inc %d read %d in force %d/%d next %d mask %d\n", g, k, gw[g].t, ID(g), gw[g].rd, gw[g].wt, gw[g].wi, gw[g].ex, gw[g].mask);
  gw[g].sends++;
  sent++
}

inline claim(g) {
  gw[g].t = (gw[g].hi > gw[g].t -> gw[g].hi : gw[g].t) + 1;
  gw[g].st = CLAIMS;
  send_barrier(g)
}

inline send_data(g) {
  gw[g].lastv++;
  k = g * S + gw[g].sends;
  E[k].kind = DATA;
  E[k].t = gw[g].t;
  E[k].inc = gw[g].inc;
  E[k].o = gw[g].ord;
  E[k].v = gw[g].lastv;
  printf("g%d sends #%d: data term %d inc %d ordinal %d value %d\n", g, k, gw[g].t, ID(g), gw[g].ord, gw[g].lastv);
  gw[g].ord++;
  gw[g].sends++;
  sent++
}

inline arrive(x) {
  k = x;
  author = k / S;
  if
  :: ACK_ON_RECEIPT && E[k].kind == DATA && E[k].copies == 0 && gw[author].st == LEADS && gw[author].t == E[k].t && ID(author) == OF(k) ->
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

#define CAN_ARRIVE(n) \
  (n < G * S && top < N && (n % S) < gw[(n / S) % G].sends && \
   (E[n % (G * S)].copies == 0 || (E[n % (G * S)].copies == 1 && doubles < DOUBLES)))
#define ARRIVE(n) arrive(n % (G * S))

/* Ledgers roll over at any time; the broker trims whole ledgers, and whatever it likes of those that are closed. */
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
  :: d_step { CAN_ARRIVE(10) -> ARRIVE(10) }
  :: d_step { CAN_ARRIVE(11) -> ARRIVE(11) }
  :: d_step { LEDGERS > 1 && ledger1 == 0 && top > 0 && top < N -> ledger1 = top; printf("ledger from %d\n", top) }
  :: d_step { LEDGERS > 2 && ledger1 > 0 && ledger2 == 0 && top > ledger1 && top < N -> ledger2 = top; printf("ledger from %d\n", top) }
  :: d_step { ledger1 > start -> start = ledger1; printf("trimmed to %d\n", start) }
  :: d_step { ledger2 > start -> start = ledger2; printf("trimmed to %d\n", start) }
  od
}

#define ME (_pid - 1)

active [G] proctype gateway() {
end_gateway:
  do
  :: d_step { gw[ME].rd < top && gw[ME].rd >= start -> read_one(ME) }
  :: d_step { gw[ME].rd < start -> OVERTAKEN(ME) }
  :: d_step { gw[ME].st != LEADS && gw[ME].rd >= start && MAY_SEND(ME) && (ME == 0 || sent > 0) &&
      (gw[ME].st == READER || gw[ME].rd > E[LAST(ME)].read) -> claim(ME) }
  :: d_step { gw[ME].st == LEADS && MAY_SEND(ME) && gw[ME].lastv < V && gw[ME].lastv < acked + 2 -> send_data(ME) }
  :: d_step { gw[ME].st == LEADS && MAY_SEND(ME) && !gw[ME].asked && gw[ME].rd > 0 && !COVERED(ME, gw[ME].rd - 1) ->
      gw[ME].asked = 1;
      send_barrier(ME) }
  :: d_step { crashes < CRASHES && gw[ME].rd > 0 -> crashes++; gw[ME].inc++; gw[ME].t = 0; fresh(ME) }
  od
}
