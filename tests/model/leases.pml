/*
 * Who may answer (docs/offsets.md, section 7): incarnations 0 and 1 are members, 2 may join; one partition, whose owner
 * is the first living of 2, 0, 1 in the view, a fold over the catalogue.
 *
 *   cat[0..ncat)   the catalogue: who died or joined. A member acts on a record when it reads it
 *   hb[0..nhb)     the members' topic: heartbeats that have arrived, each with the catalogue position on which its sender had acted
 *                  when it sent it, and with the time of sending, which only its sender looks at
 *
 * Clocks run alike; whoever takes no step is paused, and messages take as long as they like. Anyone may declare anyone
 * dead at any time: how long it had been silent is a matter of good service, safety does not rest on it. The front of the members'
 * topic may be trimmed at any time, whoever has not read it yet.
 *
 * Property:
 *   NEWEST  when an owner has answered, no owner of an earlier view answers any more
 *
 * Each part of the rule can be taken out with -DOUT=NAME, one at a time; `run` knows what must happen then.
 */
#ifndef L
#define L 2 /* length of a lease, in ticks */
#endif
#ifndef CATALOGUE
#define CATALOGUE 1 /* records in the catalogue, and which they are */
#endif
#ifndef FIRST
#define FIRST 0
#endif
#ifndef SECOND
#define SECOND JOIN
#endif
#ifndef WINDOW
#define WINDOW 2 /* heartbeats that have arrived and that somebody has still to read */
#endif

#ifndef TRIMS
#define TRIMS 7 /* heartbeats that are trimmed before all have read them; 7 is any number */
#endif
#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef OUT
#define OUT 0
#endif
#define NO_LEASE 1
#define NO_APPEND_LEASE 2    /* an owner acknowledges appends as soon as it knows that it is the owner */
#define LEASE_FROM_ECHO 3
#define NO_ACTED 4           /* heartbeats name records that their sender has not acted on */
#define NO_TIE 10
#define NO_CATALOGUE_END 11  /* who may have missed heartbeats reads on at once */
#define NO_END_AFTER 12      /* it reads to an end that the catalogue had at some time before */
#define NO_WAIT 20
#define NO_DEATH_WAIT 21     /* the dead are not waited for */
#define WAIT_FROM_SENDING 22
#define WAIT_FROM_ANY 23     /* the wait begins at any heartbeat of one's own */
#define LAST_OWNER_ONLY 24   /* only the owner before has to have acted */
#define SAID_LESS 25         /* to have acted on the record before is enough */

#define JOIN 3 /* of member 2; 0 to 2 is the death of that member */

typedef Heartbeat {
  unsigned from : 2, acted : 2, left : 2 /* ticks until a lease that counts from its sending ends */
}

typedef Member {
  unsigned read : 2;               /* catalogue records that it has read, and acted on */
  unsigned living : 3;             /* the view: bit m is set if member m lives */
  unsigned owner : 2;              /* the partition's owner in it */
  unsigned last : 2;               /* the one before */
  unsigned since : 2;              /* the catalogue position at which that changed */
  unsigned seen : 3;               /* heartbeats that it has read */
  unsigned upto : 2;               /* where it may have missed some: what it has to read of the catalogue first */
  unsigned looked : 2;             /* with NO_END_AFTER: the end of the catalogue that it saw last */
  unsigned left : 2;               /* ticks until its lease ends */
  unsigned echo : 1, wait : 2;     /* whether a heartbeat of its own that names `since` came back; ticks to wait from then on */
  unsigned a0 : 2, a1 : 2, a2 : 2  /* what each member has said that it acted on */
}

Member m[MEMBERS];
unsigned cat0 : 2, cat1 : 2, ncat : 2;
Heartbeat hb[WINDOW];
unsigned nhb : 3, joined : 1, trims : 3;
unsigned answered : 2; /* the latest ownership, by its position, that has answered */

hidden byte h, was, x;

#define CAT(at) ((at) == 0 -> cat0 : cat1)
#define LAST (MEMBERS - 1)
#define LIVES(who, me) ((m[me].living >> (who)) & 1)
#define OWNER(me) (LIVES(2, me) -> 2 : (LIVES(0, me) -> 0 : 1))

/*
 * Reading on among the heartbeats waits until the catalogue has been read as far as the next one names it, and, where some were
 * missed, as far as it went when the reader was opened.
 */
#define TIED(me) (OUT == NO_TIE || hb[m[me].seen].acted <= m[me].read)
#define MAY_SEE(me) (m[me].seen < nhb && m[me].upto <= m[me].read && TIED(me))
#define END(me) (OUT == NO_CATALOGUE_END -> 0 : (OUT == NO_END_AFTER -> m[me].looked : ncat))

/* A lease runs from the sending of the last heartbeat that came back. */
#define LEASE(me) (OUT == LEASE_FROM_ECHO -> L : hb[h].left)
#define LEASED(me) (OUT == NO_LEASE || m[me].left > 0)

/* What a new owner waits for is counted from the return of its heartbeat, by whose place the others are bound. */
#define WAIT(me) (OUT == WAIT_FROM_SENDING -> hb[h].left : L)
#define NAMES(me) (OUT == WAIT_FROM_ANY || hb[h].acted >= m[me].since)

/* An owner of a new view has waited for a lease since then, or all others have said that they acted on that view. */
#define SAID(who, a, me) ((who) == me || (a) + (OUT == SAID_LESS) >= m[me].since)
#define KNOWS_2(me) (m[me].read > 0 && cat0 == JOIN || m[me].read > 1 && cat1 == JOIN)
#define ALL_SAID(me) (SAID(0, m[me].a0, me) && SAID(1, m[me].a1, me) && (!KNOWS_2(me) || SAID(2, m[me].a2, me)))
#define WAITED(me) (m[me].echo && m[me].wait == 0)
#define GONE(who, a, me) (!LIVES(who, me) || SAID(who, a, me))
#define ALL_GONE(me) (GONE(0, m[me].a0, me) && GONE(1, m[me].a1, me) && GONE(2, m[me].a2, me))
#define A(who, me) ((who) == 0 -> m[me].a0 : ((who) == 1 -> m[me].a1 : m[me].a2))
#define LAST_SAID(me) (A(m[me].last, me) >= m[me].since)
#define SETTLED(me) \
  (m[me].since == 0 || ALL_SAID(me) || WAITED(me) || OUT == NO_WAIT || (OUT == NO_DEATH_WAIT && ALL_GONE(me)) || \
   (OUT == LAST_OWNER_ONLY && LAST_SAID(me)))

/* That the search comes this far: the owner of the last view answers. */
#ifndef REACH
#define REACH 0
#endif

inline tick() {
  h = 0;
  do
  :: h < MEMBERS ->
    m[h].left = m[h].left - (m[h].left > 0);
    m[h].wait = m[h].wait - (m[h].wait > 0);
    h++
  :: else -> break
  od;
  h = 0;
  do
  :: h < nhb -> hb[h].left = hb[h].left - (hb[h].left > 0); h++
  :: else -> break
  od;
  printf("tick\n")
}

inline record(what) {
  if
  :: ncat == 0 -> cat0 = what
  :: else -> cat1 = what
  fi;
  printf("%d writes record %d\n", _pid, what);
  ncat++
}

/* A heartbeat arrives that was sent at any time before: what it names and what is left of its lease are as they were then. */
inline arrive(what, lease) {
  hb[nhb].from = _pid;
  hb[nhb].acted = what;
  hb[nhb].left = lease;
  nhb++;
  printf("heartbeat of %d arrives, acted %d, left %d\n", _pid, what, lease)
}

#define MAY_RECORD(what) (ncat < CATALOGUE && (what) == (ncat == 0 -> FIRST : SECOND))

inline drop_first() {
  h = 1;
  do
  :: h < nhb ->
    hb[h - 1].from = hb[h].from;
    hb[h - 1].acted = hb[h].acted;
    hb[h - 1].left = hb[h].left;
    h++
  :: else -> break
  od;
  nhb--;
  hb[nhb].from = 0;
  hb[nhb].acted = 0;
  hb[nhb].left = 0
}

/* Heartbeats that all have read are forgotten. */
inline forget() {
  do
  :: nhb > 0 && m[0].seen > 0 && m[1].seen > 0 && (!joined || m[LAST].seen > 0) ->
    drop_first();
    m[0].seen--;
    m[1].seen--;
    m[LAST].seen = m[LAST].seen - (LAST == 2 && joined)
  :: else -> break
  od
}

/* The oldest heartbeat is trimmed. Who has not read it begins to read behind it. */
inline trim() {
  printf("the oldest heartbeat is trimmed\n");
  trims = trims + (TRIMS < 7);
  drop_first();
  x = 0;
  do
  :: x < MEMBERS ->
    if
    :: m[x].seen > 0 -> m[x].seen--
    :: x < 2 || joined -> m[x].upto = END(x)
    :: else
    fi;
    x++
  :: else -> break
  od;
  forget();
  x = 0
}

inline act(me) {
  h = CAT(m[me].read);
  printf("%d reads record %d\n", me, h);
  m[me].read++;
  if
  :: h == JOIN -> m[me].living = m[me].living | 4
  :: else -> m[me].living = m[me].living & ~(1 << h)
  fi;
  was = m[me].owner;
  m[me].owner = OWNER(me);
  if
  :: m[me].owner != was ->
    m[me].last = was;
    m[me].since = m[me].read;
    m[me].echo = 0;
    m[me].wait = 0
  :: else
  fi
}

inline see(me) {
  h = m[me].seen;
  printf("%d sees heartbeat of %d, acted %d, left %d\n", me, hb[h].from, hb[h].acted, hb[h].left);
  if
  :: hb[h].from == me ->
    m[me].left = LEASE(me);
    if
    :: m[me].echo == 0 && m[me].owner == me && m[me].since > 0 && NAMES(me) ->
      m[me].echo = 1;
      m[me].wait = WAIT(me)
    :: else
    fi;
    hb[h].left = 0
  :: hb[h].from == 0 && me != 0 && hb[h].acted > m[me].a0 -> m[me].a0 = hb[h].acted
  :: hb[h].from == 1 && me != 1 && hb[h].acted > m[me].a1 -> m[me].a1 = hb[h].acted
  :: hb[h].from == 2 && me != 2 && hb[h].acted > m[me].a2 -> m[me].a2 = hb[h].acted
  :: else
  fi;
  m[me].seen++;
  forget()
}

inline answer(me) {
  printf("%d answers, owner since %d\n", me, m[me].since);
  assert(m[me].since >= answered); /* NEWEST */
  answered = m[me].since;
  assert(!REACH || answered < CATALOGUE)
}

#define IS_MEMBER(me) ((me < 2 || LIVES(2, me)) && LIVES(me, me))

active [MEMBERS] proctype member() {
  d_step { m[_pid].living = 3; m[_pid].owner = 0 }
end_member:
  do
  :: d_step { (_pid < 2 || joined) && m[_pid].read < ncat -> act(_pid); x = 0 }
  :: d_step { (_pid < 2 || joined) && MAY_SEE(_pid) -> see(_pid); x = 0 }
  :: d_step { IS_MEMBER(_pid) && nhb < WINDOW -> arrive(m[_pid].read, L) }
  :: d_step { IS_MEMBER(_pid) && nhb < WINDOW -> arrive(m[_pid].read, 1) }
  :: d_step { IS_MEMBER(_pid) && nhb < WINDOW && m[_pid].read > 0 -> arrive(m[_pid].read - 1, L - 1) }
  :: d_step { IS_MEMBER(_pid) && nhb < WINDOW && m[_pid].read > 1 -> arrive(0, L - 1) }
  :: d_step { IS_MEMBER(_pid) && MAY_RECORD(0) && _pid != 0 && LIVES(0, _pid) -> record(0) }
  :: d_step { IS_MEMBER(_pid) && MAY_RECORD(1) && _pid != 1 && LIVES(1, _pid) -> record(1) }
  :: d_step { IS_MEMBER(_pid) && MAY_RECORD(2) && _pid != 2 && LIVES(2, _pid) -> record(2) }
  :: d_step { _pid == 2 && !joined && MAY_RECORD(JOIN) -> joined = 1; record(JOIN); m[_pid].upto = END(_pid) }
  :: d_step { IS_MEMBER(_pid) && m[_pid].owner == _pid && LEASED(_pid) && SETTLED(_pid) && answered != m[_pid].since -> answer(_pid) }
  :: d_step { OUT == NO_APPEND_LEASE && IS_MEMBER(_pid) && m[_pid].owner == _pid && answered < m[_pid].since ->
      answered = m[_pid].since }
  :: d_step { OUT == NO_ACTED && IS_MEMBER(_pid) && nhb < WINDOW && m[_pid].read < ncat -> arrive(ncat, L) }
  :: d_step { OUT == NO_END_AFTER && m[_pid].looked < ncat -> m[_pid].looked = ncat }
  :: d_step { _pid == 0 && nhb > 0 && trims < TRIMS -> trim() }
  :: d_step { _pid == 0 -> tick() }
  od
}
