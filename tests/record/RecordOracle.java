// Compares libkop's record layer with Kafka's own record classes, both ways. See README.md beside this file.
//
// What @RECORD_PACKAGE@ stands for is filled in by tests/record/run: Kafka moved its record classes between releases.

import @RECORD_PACKAGE@.*;
import @RECORD_PACKAGE@.Record;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.requests.ProduceRequest;
import @UTILS_PACKAGE@.BufferSupplier;
import @UTILS_PACKAGE@.ByteBufferOutputStream;
import @UTILS_PACKAGE@.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;

public final class RecordOracle {
  static final long NOW = 1_700_000_000_000L;
  static final int MAX_PRINTED = 30;
  static final int UNKNOWN_SERVER_ERROR = -1;
  static final int INVALID_RECORD = 87;

  static DataOutputStream toPeer;
  static DataInputStream fromPeer;
  static int cases;
  static int identical;
  static boolean streamSpoiled; // the case at hand was changed after its compression
  static final Map<String, Integer> byRule = new TreeMap<>();

  // ---- libkop's side -------------------------------------------------------------------------

  static final class Answer {
    int status;
    byte[] result;
  }

  static Answer ask(byte[] request) throws IOException {
    toPeer.writeInt(request.length);
    toPeer.write(request);
    toPeer.flush();
    int length = fromPeer.readInt();
    Answer a = new Answer();
    a.status = fromPeer.readInt();
    a.result = new byte[length - 4];
    fromPeer.readFully(a.result);
    return a;
  }

  static final class Request {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final DataOutputStream out = new DataOutputStream(bytes);

    Request(int op) throws IOException {
      out.writeByte(op);
    }

    Answer send() throws IOException {
      return ask(bytes.toByteArray());
    }
  }

  static Answer kopDump(byte[] batches) throws IOException {
    Request r = new Request(1);
    r.out.write(batches);
    return r.send();
  }

  // ---- what is built -------------------------------------------------------------------------

  static final class Shape {
    byte magic = 2;
    CompressionType codec = CompressionType.NONE;
    TimestampType type = TimestampType.CREATE_TIME;
    long appendTime = -1;
    long baseOffset;
    int leaderEpoch = -1;
    long producerId = -1;
    short producerEpoch = -1;
    int sequence = -1;
    boolean transactional;

    @Override
    public String toString() {
      return "magic " + magic + " " + codec.name + " " + type + " base " + baseOffset + " producer " + producerId;
    }
  }

  static final class Rec {
    long offset;
    long timestamp;
    byte[] key;
    byte[] value;
    Header[] headers = new Header[0];
  }

  static byte[] randomBytes(Random random, int max) {
    int kind = random.nextInt(6);
    if (kind == 0) return null;
    byte[] b = new byte[kind == 1 ? 0 : random.nextInt(max) + 1];
    if (kind == 2) random.nextBytes(b);
    else for (int i = 0; i < b.length; i++) b[i] = (byte) ('a' + (i / 7 + b.length) % 26);
    return b;
  }

  static List<Rec> randomRecords(Random random, int count, int size, boolean headers, boolean holes) {
    List<Rec> list = new ArrayList<>();
    long offset = -1;
    for (int i = 0; i < count; i++) {
      Rec r = new Rec();
      offset += holes ? 1 + random.nextInt(4) : 1;
      r.offset = offset;
      r.timestamp = random.nextInt(20) == 0 ? -1 : NOW - 1000 + random.nextInt(2000);
      if (random.nextInt(50) == 0) r.timestamp = NOW - 4_000_000_000L;
      r.key = randomBytes(random, 40);
      r.value = randomBytes(random, size);
      if (headers && random.nextInt(4) == 0) {
        r.headers = new Header[random.nextInt(4)];
        for (int h = 0; h < r.headers.length; h++) {
          r.headers[h] = new RecordHeader(random.nextBoolean() ? "" : "h\u00e4" + h, randomBytes(random, 30));
        }
      }
      list.add(r);
    }
    return list;
  }

  static byte[] javaBuild(Shape s, List<Rec> records) {
    MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(1024), s.magic, Compression.of(s.codec).build(), s.type,
        s.baseOffset, s.appendTime, s.producerId, s.producerEpoch, s.sequence, s.transactional, false, s.leaderEpoch);
    for (Rec r : records) {
      b.appendWithOffset(s.baseOffset + r.offset, r.timestamp, r.key, r.value, s.magic < 2 ? new Header[0] : r.headers);
    }
    return bytesOf(b.build().buffer());
  }

  static byte[] bytesOf(ByteBuffer buffer) {
    byte[] out = new byte[buffer.remaining()];
    buffer.duplicate().get(out);
    return out;
  }

  static Answer kopBuild(Shape s, List<Rec> records) throws IOException {
    Request r = new Request(3);
    r.out.writeInt(s.magic);
    r.out.writeInt(s.codec.id);
    r.out.writeInt(s.type.id);
    r.out.writeLong(s.appendTime);
    r.out.writeLong(s.baseOffset);
    r.out.writeInt(s.leaderEpoch);
    r.out.writeLong(s.producerId);
    r.out.writeInt(s.producerEpoch);
    r.out.writeInt(s.sequence);
    r.out.writeInt(s.transactional ? 0x10 : 0);
    r.out.writeInt(records.size());
    for (Rec record : records) {
      r.out.writeLong(s.baseOffset + record.offset);
      r.out.writeLong(record.timestamp);
      writeBytes(r.out, record.key);
      writeBytes(r.out, record.value);
      Header[] headers = s.magic < 2 ? new Header[0] : record.headers;
      r.out.writeInt(headers.length);
      for (Header h : headers) {
        writeBytes(r.out, h.key().getBytes(StandardCharsets.UTF_8));
        writeBytes(r.out, h.value());
      }
    }
    return r.send();
  }

  static void writeBytes(DataOutputStream out, byte[] b) throws IOException {
    out.writeInt(b == null ? -1 : b.length);
    if (b != null) out.write(b);
  }

  // ---- what is read --------------------------------------------------------------------------

  // The records of all batches in the form that record_peer.c dumps; renumber >= 0 replaces offsets and sequences.
  static byte[] javaDump(byte[] batches, long renumber) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    int index = 0;
    for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(batches)).batches()) {
      batch.ensureValid();
      for (Record record : batch) {
        boolean again = renumber >= 0;
        out.writeLong(again ? renumber + index : record.offset());
        out.writeLong(record.timestamp());
        out.writeByte(batch.timestampType().id);
        int sequence = record.sequence();
        if (again && batch.baseSequence() >= 0) sequence = DefaultRecordBatch.incrementSequence(batch.baseSequence(), index);
        out.writeInt(sequence);
        writeBytes(out, record.key() == null ? null : bytesOf(record.key()));
        writeBytes(out, record.value() == null ? null : bytesOf(record.value()));
        out.writeInt(record.headers().length);
        for (Header h : record.headers()) {
          writeBytes(out, h.key().getBytes(StandardCharsets.UTF_8));
          writeBytes(out, h.value());
        }
        int type = -1;
        int epoch = -1;
        if (batch.isControlBatch()) {
          ControlRecordType control = ControlRecordType.parse(record.key());
          type = record.key().getShort(record.key().position() + 2);
          if (control == ControlRecordType.COMMIT || control == ControlRecordType.ABORT) {
            epoch = EndTransactionMarker.deserialize(record).coordinatorEpoch();
          }
        }
        out.writeInt(type);
        out.writeInt(epoch);
        index++;
      }
    }
    return bytes.toByteArray();
  }

  // Keys, values and headers alone.
  static byte[] javaContent(byte[] batches) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(batches)).batches()) {
      for (Record record : batch) {
        writeBytes(out, record.key() == null ? null : bytesOf(record.key()));
        writeBytes(out, record.value() == null ? null : bytesOf(record.value()));
        for (Header h : record.headers()) {
          writeBytes(out, h.key().getBytes(StandardCharsets.UTF_8));
          writeBytes(out, h.value());
        }
      }
    }
    return bytes.toByteArray();
  }

  // ---- comparison ----------------------------------------------------------------------------

  static void same(boolean ok, String what) {
    cases++;
    if (ok) identical++;
    else if (cases - identical <= MAX_PRINTED) System.out.println("differs: " + what);
  }

  static void sameBytes(byte[] kop, byte[] java, String what) {
    int at = Arrays.mismatch(kop, java);
    same(at < 0, what + " (libkop " + kop.length + " bytes, Java " + java.length + ", first difference at " + at + ")");
  }

  static void sameDump(Answer kop, byte[] java, String what) {
    if (kop.status != 0) same(false, what + ": libkop's status is " + kop.status);
    else sameBytes(kop.result, java, what);
  }

  // ---- 1. iterate and build ------------------------------------------------------------------

  static List<CompressionType> codecsOf(int magic) {
    List<CompressionType> list = new ArrayList<>(List.of(CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY,
        CompressionType.LZ4));
    if (magic == 2) list.add(CompressionType.ZSTD);
    return list;
  }

  static List<Shape> shapes() {
    List<Shape> list = new ArrayList<>();
    for (byte magic = 0; magic <= 2; magic++) {
      for (CompressionType codec : codecsOf(magic)) {
        for (TimestampType type : List.of(TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME)) {
          if (magic == 0 && type == TimestampType.LOG_APPEND_TIME) continue;
          for (long base : new long[] {0, 7, 5_000_000_000L}) {
            Shape s = new Shape();
            s.magic = magic;
            s.codec = codec;
            s.type = type;
            s.appendTime = type == TimestampType.LOG_APPEND_TIME ? NOW + 5 : -1;
            s.baseOffset = base;
            s.leaderEpoch = magic == 2 ? (int) (base % 100) : -1;
            list.add(s);
            if (magic < 2) continue;
            Shape p = new Shape();
            p.codec = codec;
            p.type = type;
            p.appendTime = s.appendTime;
            p.baseOffset = base;
            p.producerId = 4000 + base;
            p.producerEpoch = 3;
            p.sequence = base == 7 ? Integer.MAX_VALUE - 3 : (int) (base % 1000);
            p.transactional = base == 7;
            list.add(p);
          }
        }
      }
    }
    return list;
  }

  static void iterateAndBuild(long seed) throws IOException {
    Random random = new Random(seed);
    int[][] sizes = {{1, 1}, {3, 20}, {200, 100}, {2000, 60}, {5, 90_000}, {2, 400_000}};
    for (Shape s : shapes()) {
      for (int[] size : sizes) {
        List<Rec> records = randomRecords(random, size[0], size[1], true, size[0] == 200);
        String what = s + ", " + size[0] + " records";
        byte[] java = javaBuild(s, records);
        sameDump(kopDump(java), javaDump(java, -1), "iterate, " + what);
        Answer kop = kopBuild(s, records);
        if (kop.status != 0) {
          same(false, "build, " + what + ": libkop's status is " + kop.status);
          continue;
        }
        byte[] read;
        try {
          read = javaDump(kop.result, -1);
        } catch (RuntimeException e) {
          same(false, "build, " + what + ": Java cannot read it: " + e);
          continue;
        }
        sameBytes(read, javaDump(java, -1), "build, " + what);
        if (s.codec == CompressionType.NONE) sameBytes(kop.result, java, "bytes, " + what);
        else same(sameHeads(kop.result, java, s.magic), "head, " + what);
      }
    }
  }

  // All fields of a compressed batch's or message's head but length and checksum.
  static boolean sameHeads(byte[] a, byte[] b, int magic) {
    byte[] x = Arrays.copyOf(a, magic == 2 ? 61 : magic == 1 ? 30 : 22);
    byte[] y = Arrays.copyOf(b, x.length);
    int crc = magic == 2 ? 17 : 12;
    for (int i = 0; i < 4; i++) x[8 + i] = y[8 + i] = x[crc + i] = y[crc + i] = 0;
    return Arrays.equals(x, y);
  }

  // ---- 2. validate ---------------------------------------------------------------------------

  static final class Rules {
    int version = 13;
    TimestampType type = TimestampType.CREATE_TIME;
    long before = Long.MAX_VALUE;
    long after = 3_600_000;
    int max = 2_000_000;
    CompressionType codec; // null: the producer's
    boolean compacted;
    long base = 1000;
    int epoch = 9;

    @Override
    public String toString() {
      return "Produce " + version + " " + type + " codec " + (codec == null ? "producer" : codec.name) + (compacted ? " compacted" : "");
    }
  }

  static final class Verdict {
    int error;
    int rebuild;
    long maxTimestamp;
    int count;
    List<Integer> bad = new ArrayList<>();
    byte[] stored = new byte[0];
    String why = "";
    String message = "";
  }

  static Verdict kopValidate(byte[] payload, Rules r) throws IOException {
    Request q = new Request(2);
    q.out.writeInt(r.version);
    q.out.writeInt(r.type.id);
    q.out.writeLong(NOW);
    q.out.writeLong(r.before);
    q.out.writeLong(r.after);
    q.out.writeInt(r.max);
    q.out.writeInt(r.codec == null ? -1 : r.codec.id);
    q.out.writeInt(r.compacted ? 1 : 0);
    q.out.writeLong(r.base);
    q.out.writeInt(r.epoch);
    q.out.write(payload);
    Answer a = q.send();
    Verdict v = new Verdict();
    if (a.status != 0) {
      v.error = -1000 + a.status;
      return v;
    }
    ByteBuffer b = ByteBuffer.wrap(a.result);
    v.error = b.getShort();
    v.rebuild = b.getInt();
    v.maxTimestamp = b.getLong();
    v.count = b.getInt();
    int bad = b.getInt();
    for (int i = 0; i < bad; i++) v.bad.add(b.getInt());
    byte[] message = new byte[b.getInt()];
    b.get(message);
    v.message = new String(message, StandardCharsets.UTF_8);
    v.stored = bytesOf(b);
    return v;
  }

  static Object proxy(Class<?> type, Object... namesAndValues) {
    return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) -> {
      for (int i = 0; i < namesAndValues.length; i += 2) {
        if (method.getName().equals(namesAndValues[i])) return namesAndValues[i + 1];
      }
      return null;
    });
  }

  static Object field(Object o, String name) throws Exception {
    try {
      Method m = o.getClass().getMethod(name);
      m.setAccessible(true);
      return m.invoke(o);
    } catch (NoSuchMethodException e) {
      Field f = o.getClass().getField(name);
      f.setAccessible(true);
      return f.get(o);
    }
  }

  static Object newValidator(Object... args) throws Exception {
    Constructor<?> c = LogValidator.class.getConstructors()[0];
    if (c.getParameterCount() == args.length) return c.newInstance(args);
    Object[] more = Arrays.copyOf(args, args.length + 1); // up to 3.x the inter-broker version comes last
    Class<?> version = c.getParameterTypes()[args.length];
    more[args.length] = version.getMethod("latestProduction").invoke(null);
    return c.newInstance(more);
  }

  // What UnifiedLog does with a client's records up to the assignment of offsets.
  static Verdict javaValidate(byte[] payload, Rules r) {
    Verdict v = new Verdict();
    try {
      MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(payload.clone()));
      if (r.version >= 3) ProduceRequest.validateRecords((short) r.version, records);
      CompressionType source = CompressionType.NONE;
      int valid = 0;
      for (MutableRecordBatch batch : records.batches()) {
        if (batch.magic() >= 2 && batch.baseOffset() != 0) throw new org.apache.kafka.common.InvalidRecordException("base offset");
        if (batch.sizeInBytes() > r.max) throw new RecordTooLargeException("size");
        if (!batch.isValid()) throw new CorruptRecordException("checksum");
        if (batch.compressionType() != CompressionType.NONE) source = batch.compressionType();
        valid += batch.sizeInBytes();
      }
      v.maxTimestamp = -1;
      if (valid == 0) return v; // nothing to append, and no error either
      ByteBuffer trimmed = records.buffer().duplicate();
      trimmed.limit(valid);
      CompressionType target = r.codec == null ? source : r.codec;
      Object validator = newValidator(MemoryRecords.readableRecords(trimmed), new TopicPartition("t", 0),
          proxy(Time.class, "milliseconds", NOW, "nanoseconds", 0L), source, Compression.of(target).build(), r.compacted, (byte) 2,
          r.type, r.before, r.after, r.epoch, AppendOrigin.CLIENT);
      Object result = ((LogValidator) validator).validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(r.base),
          (LogValidator.MetricsRecorder) proxy(LogValidator.MetricsRecorder.class), BufferSupplier.NO_CACHING);
      MemoryRecords stored = (MemoryRecords) field(result, "validatedRecords");
      v.stored = bytesOf(stored.buffer());
      v.maxTimestamp = (long) field(result, "maxTimestampMs");
      for (RecordBatch batch : stored.batches()) {
        v.count += batch.countOrNull();
        if (batch.sizeInBytes() > r.max) throw new RecordTooLargeException("size");
      }
    } catch (Throwable t) {
      Throwable cause = t instanceof InvocationTargetException ? t.getCause() : t;
      v.stored = new byte[0];
      v.why = cause.toString();
      v.error = UNKNOWN_SERVER_ERROR;
      try {
        if (cause.getClass().getSimpleName().equals("RecordValidationException")) {
          for (Object e : (List<?>) field(cause, "recordErrors")) v.bad.add((Integer) e.getClass().getField("batchIndex").get(e));
          cause = (Throwable) field(cause, "invalidException");
        }
        v.error = Errors.forException(cause).code();
      } catch (Exception e) {
        v.why += "; " + e;
      }
    }
    return v;
  }

  static boolean readable(byte[] stored) {
    try {
      javaDump(stored, -1);
      return true;
    } catch (Throwable t) {
      return false;
    }
  }

  // Reads a number of at most `most` bytes; the last one may hold `last` at most, else {@code overflow[0]} is set.
  static long number(ByteBuffer b, int most, int last, boolean[] overflow) {
    long v = 0;
    for (int i = 0; i < most; i++) {
      int octet = b.get() & 0xff;
      if (i == most - 1 && octet > last) overflow[0] = true;
      v |= (long) (octet & 0x7f) << 7 * i;
      if (octet < 0x80) break;
    }
    if (most == 5) v &= 0xffffffffL;
    return v >>> 1 ^ -(v & 1);
  }

  // Whether a number in the first batch's records has bits that its type cannot hold.
  static boolean numberOverflows(byte[] payload) throws IOException {
    boolean[] overflow = new boolean[1];
    RecordBatch batch = MemoryRecords.readableRecords(ByteBuffer.wrap(payload)).batches().iterator().next();
    if (batch.magic() != 2) return false;
    ByteBuffer stream = ByteBuffer.wrap(payload, 61, batch.sizeInBytes() - 61).slice();
    byte[] plain = Compression.of(batch.compressionType()).build().wrapForInput(stream, (byte) 2, BufferSupplier.NO_CACHING).readAllBytes();
    ByteBuffer b = ByteBuffer.wrap(plain);
    try {
      for (int i = 0; i < batch.countOrNull(); i++) {
        number(b, 5, 0x0f, overflow);
        b.get();
        number(b, 10, 1, overflow);
        number(b, 5, 0x0f, overflow);
        skip(b, number(b, 5, 0x0f, overflow));
        skip(b, number(b, 5, 0x0f, overflow));
        for (long headers = number(b, 5, 0x0f, overflow); headers > 0; headers--) {
          skip(b, number(b, 5, 0x0f, overflow));
          skip(b, number(b, 5, 0x0f, overflow));
        }
      }
    } catch (RuntimeException e) {
      return overflow[0]; // what follows such a number need not make sense
    }
    return overflow[0];
  }

  static void skip(ByteBuffer b, long n) {
    if (n > 0) b.position(b.position() + (int) n);
  }

  static void rule(String name) {
    byRule.merge(name, 1, Integer::sum);
    same(true, name);
  }

  static void compareVerdicts(byte[] payload, Rules r, String what) throws IOException {
    Verdict kop = kopValidate(payload, r);
    Verdict java = javaValidate(payload, r);
    what = what + ", " + r;
    String both = what + ": libkop says " + kop.error + " " + kop.message + ", Java " + java.error + " " + java.why;
    if (java.error == UNKNOWN_SERVER_ERROR && kop.error > 0) {
      rule("Java fails internally, libkop refuses");
      return;
    }
    if (java.why.contains("OutOfMemoryError")) {
      rule("Java allocates what a length claims and fails, libkop does not");
      return;
    }
    if (java.error == UNKNOWN_SERVER_ERROR && (java.why.contains("IllegalArgumentException") || java.why.contains("PartialDefaultRecord")) && kop.error == 0 && kop.rebuild != 0) {
      // A negative epoch or timestamp, a transaction without a producer, or offset deltas of a compressed batch that are not 0, 1, 2, ..., pass Kafka's
      // validation, but what then converts the batch fails.
      if (Arrays.equals(javaContent(kop.stored), javaContent(payload))) rule("Java validates but cannot convert, libkop does");
      else same(false, both + "; what libkop converted has other content");
      return;
    }
    if (java.error == 0 && kop.error == INVALID_RECORD && !readable(java.stored)) {
      rule("Java stores what its own consumer cannot read, libkop refuses");
      return;
    }
    boolean javaFailed = java.why.contains("decompress");
    if (streamSpoiled && (java.error == 0 && kop.message.contains("cannot be decompressed") || kop.error == 0 && javaFailed)) {
      rule("the codec libraries differ about a spoiled stream");
      return;
    }
    if (java.error == 0 && kop.message.contains("malformed") && numberOverflows(payload)) {
      rule("a number has bits that its type cannot hold: Java drops them, libkop refuses");
      return;
    }
    boolean agree = kop.error == java.error && kop.bad.equals(java.bad);
    if (!agree && java.error != 0 && kop.error == INVALID_RECORD && !readable(payload)) {
      rule("both refuse what a consumer could not read, for different reasons");
      return;
    }
    if (!agree) {
      if (System.getenv("RECORD_HEX") != null) System.out.println(HexFormat.of().formatHex(payload));
      same(false, both + ", bad records " + kop.bad + " and " + java.bad);
      return;
    }
    if (java.error != 0) {
      same(true, both);
      return;
    }
    boolean ok = kop.maxTimestamp == java.maxTimestamp && kop.count == java.count;
    if (!ok) {
      same(false, both + "; max timestamps " + kop.maxTimestamp + " " + java.maxTimestamp + ", counts " + kop.count + " " + java.count);
      return;
    }
    if (Arrays.equals(kop.stored, java.stored)) {
      same(true, both);
      return;
    }
    boolean renumbered = (kop.rebuild & 4) != 0;
    byte[] want;
    try {
      want = javaDump(java.stored, renumbered ? r.base : -1);
    } catch (Throwable t) {
      same(false, both + "; Java cannot read what it stores: " + t);
      return;
    }
    byte[] got;
    try {
      got = javaDump(kop.stored, -1);
    } catch (Throwable t) {
      same(false, both + "; Java cannot read what libkop stores: " + t);
      return;
    }
    if (renumbered && !Arrays.equals(got, javaDump(java.stored, -1))) {
      byRule.merge("offset deltas of an uncompressed batch put right", 1, Integer::sum);
    }
    same(kop.rebuild != 0 && Arrays.equals(got, want) && sameHeads(kop.stored, java.stored, 2), both + "; the stored batches differ, rebuild " + kop.rebuild);
  }

  static List<Rules> rulesFor(int magic) {
    List<Rules> list = new ArrayList<>();
    for (TimestampType type : List.of(TimestampType.CREATE_TIME, TimestampType.LOG_APPEND_TIME)) {
      for (CompressionType codec : Arrays.asList(null, CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD)) {
        Rules r = new Rules();
        r.version = magic == 2 ? 13 : 2;
        r.type = type;
        r.codec = codec;
        list.add(r);
      }
    }
    Rules compacted = new Rules();
    compacted.version = magic == 2 ? 9 : 1;
    compacted.compacted = true;
    list.add(compacted);
    Rules strict = new Rules();
    strict.version = magic == 2 ? 6 : 0;
    strict.before = 3_000_000_000L;
    strict.after = 500;
    list.add(strict);
    Rules small = new Rules();
    small.version = magic == 2 ? 3 : 2;
    small.max = 3000;
    list.add(small);
    return list;
  }

  static void validateGood(long seed) throws IOException {
    Random random = new Random(seed);
    for (Shape s : shapes()) {
      if (s.baseOffset == 5_000_000_000L) continue;
      for (int[] size : new int[][] {{1, 1}, {40, 30}, {300, 200}, {3, 200_000}}) {
        byte[] payload = javaBuild(s, randomRecords(random, size[0], size[1], true, size[0] == 300));
        for (Rules r : rulesFor(s.magic)) {
          compareVerdicts(payload, r, "validate, " + s + ", " + size[0] + " records");
        }
      }
    }
  }

  // ---- 3. validate what is broken ------------------------------------------------------------

  static void reseal(byte[] entry) {
    ByteBuffer b = ByteBuffer.wrap(entry);
    if (entry.length < 26) return;
    if (entry[16] == 2) {
      CRC32C crc = new CRC32C();
      crc.update(entry, 21, entry.length - 21);
      b.putInt(17, (int) crc.getValue());
    } else {
      CRC32 crc = new CRC32();
      crc.update(entry, 16, entry.length - 16);
      b.putInt(12, (int) crc.getValue());
    }
  }

  static byte[] compress(CompressionType codec, byte magic, byte[] plain) throws IOException {
    ByteBufferOutputStream out = new ByteBufferOutputStream(plain.length + 512);
    try (OutputStream z = Compression.of(codec).build().wrapForOutput(out, magic)) {
      z.write(plain);
    }
    ByteBuffer b = out.buffer();
    b.flip();
    return bytesOf(b);
  }

  static byte[] concat(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] p : parts) out.writeBytes(p);
    return out.toByteArray();
  }

  static final int[] EDGES = {0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xfe, 0xff};

  static void spoil(Random random, byte[] bytes, int from, int to) {
    if (to <= from) return;
    for (int n = 1 + random.nextInt(3); n > 0; n--) {
      int at = from + random.nextInt(to - from);
      bytes[at] = (byte) (random.nextBoolean() ? EDGES[random.nextInt(EDGES.length)] : random.nextInt(256));
    }
  }

  static byte[] cutOrGrow(Random random, byte[] bytes) {
    switch (random.nextInt(5)) {
      case 0: return Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
      case 1: return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(20));
      default: return bytes;
    }
  }

  static byte[] spoiledBatch(Random random, List<Rec> records) throws IOException {
    Shape s = new Shape();
    if (random.nextInt(3) == 0) {
      s.producerId = 5;
      s.producerEpoch = 0;
      s.sequence = random.nextInt(4) == 0 ? Integer.MAX_VALUE : 3;
    }
    byte[] batch = javaBuild(s, records);
    byte[] head = Arrays.copyOf(batch, 61);
    byte[] body = Arrays.copyOfRange(batch, 61, batch.length);
    int what = random.nextInt(10);
    if (what < 4) spoil(random, body, 0, body.length);
    if (what >= 4 && what < 7) spoil(random, head, 12, 61);
    if (what == 7) body = cutOrGrow(random, body);
    CompressionType codec = codecsOf(2).get(random.nextInt(5));
    if (codec != CompressionType.NONE && (head[22] & 7) == 0) {
      body = compress(codec, (byte) 2, body);
      head[22] |= (byte) codec.id;
      streamSpoiled = what == 8;
      if (streamSpoiled) spoil(random, body, 0, body.length);
      if (what == 9) body = Arrays.copyOf(body, random.nextInt(body.length)); // what follows a stream is each reader's own affair
    }
    byte[] entry = concat(head, body);
    ByteBuffer.wrap(entry).putInt(8, entry.length - 12);
    if (random.nextInt(20) != 0) reseal(entry);
    return entry;
  }

  static byte[] spoiledMessages(Random random, List<Rec> records) throws IOException {
    Shape s = new Shape();
    s.magic = (byte) random.nextInt(2);
    CompressionType codec = codecsOf(s.magic).get(random.nextInt(4));
    byte[] set = javaBuild(s, records);
    int what = random.nextInt(8);
    if (codec == CompressionType.NONE) {
      if (what < 5) spoil(random, set, 0, set.length);
      if (what == 5) set = cutOrGrow(random, set);
      if (what != 7) set = resealSet(set);
      return set;
    }
    if (what < 3) spoil(random, set, 0, set.length);
    if (what == 3) set = cutOrGrow(random, set);
    if (what != 4) set = resealSet(set);
    byte[] value = compress(codec, s.magic, set);
    streamSpoiled = what == 5;
    if (streamSpoiled) spoil(random, value, 0, value.length);
    ByteBuffer b = ByteBuffer.allocate((s.magic == 1 ? 34 : 26) + value.length);
    b.putLong(random.nextInt(3) == 0 ? 0 : records.size() - 1 + random.nextInt(3) - 1).putInt(b.capacity() - 12).putInt(0);
    b.put(s.magic).put((byte) (codec.id | (s.magic == 1 && random.nextInt(6) == 0 ? 8 : 0)));
    if (s.magic == 1) b.putLong(NOW - 3);
    b.putInt(-1).putInt(value.length).put(value);
    byte[] entry = b.array();
    if (what == 6) spoil(random, entry, 16, s.magic == 1 ? 34 : 26);
    reseal(entry);
    return entry;
  }

  // Right checksums for every message that can be found in a set.
  static byte[] resealSet(byte[] set) {
    byte[] out = set.clone();
    int at = 0;
    while (out.length - at >= 26) {
      int size = ByteBuffer.wrap(out).getInt(at + 8);
      if (size < 14 || size > out.length - at - 12) break;
      byte[] one = Arrays.copyOfRange(out, at, at + 12 + size);
      if (one[16] >= 0 && one[16] < 2) reseal(one);
      System.arraycopy(one, 0, out, at, one.length);
      at += one.length;
    }
    return out;
  }

  static void validateBroken(long seed, int rounds) throws IOException {
    Random random = new Random(seed);
    for (int i = 0; i < rounds; i++) {
      List<Rec> records = randomRecords(random, 1 + random.nextInt(6), 30, true, random.nextInt(4) == 0);
      boolean old = i % 3 == 2;
      streamSpoiled = false;
      byte[] payload = old ? spoiledMessages(random, records) : spoiledBatch(random, records);
      if (random.nextInt(15) == 0) payload = concat(payload, payload);
      if (random.nextInt(15) == 0) payload = cutOrGrow(random, payload);
      List<Rules> rules = rulesFor(old ? 1 : 2);
      compareVerdicts(payload, rules.get(random.nextInt(rules.size())), "broken, seed " + seed + " case " + i);
    }
  }

  // ---- 4. down, control, empty ---------------------------------------------------------------

  static void downConvert(long seed) throws Exception {
    Method convert;
    try {
      Class<?> util = Class.forName("@RECORD_PACKAGE@.RecordsUtil");
      convert = util.getDeclaredMethod("downConvert", Iterable.class, byte.class, long.class, Time.class);
    } catch (ClassNotFoundException e) {
      System.out.println("record: this Kafka no longer converts down, that part is left out");
      return;
    }
    convert.setAccessible(true);
    Random random = new Random(seed);
    Object time = proxy(Time.class, "milliseconds", NOW, "nanoseconds", 0L);
    for (Shape s : shapes()) {
      if (s.codec == CompressionType.ZSTD) continue;
      for (byte target = 0; target <= 1; target++) {
        for (int first : new int[] {0, 3, 30}) {
          byte[] one = javaBuild(s, randomRecords(random, 20, 100, true, true));
          Shape next = new Shape();
          next.baseOffset = s.baseOffset + 100;
          byte[] control = marker(s.baseOffset + 99, false);
          byte[] two = javaBuild(next, randomRecords(random, 5, 10, true, false));
          byte[] all = concat(one, control, two, Arrays.copyOf(two, two.length - 1));
          MemoryRecords in = MemoryRecords.readableRecords(ByteBuffer.wrap(all));
          long offset = s.baseOffset + first;
          Object result = convert.invoke(null, in.batches(), target, offset, time);
          byte[] java = bytesOf(((MemoryRecords) field(result, "records")).buffer());
          Request q = new Request(4);
          q.out.writeByte(target);
          q.out.writeLong(offset);
          q.out.write(all);
          Answer kop = q.send();
          String what = "down to " + target + " from " + offset + ", " + s;
          if (kop.status != 0) {
            same(false, what + ": libkop's status is " + kop.status);
          } else if (s.codec == CompressionType.NONE) {
            sameBytes(kop.result, java, what);
          } else {
            sameBytes(javaDump(kop.result, -1), javaDump(java, -1), what);
          }
        }
      }
    }
  }

  static byte[] marker(long offset, boolean commit) {
    ControlRecordType type = commit ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
    MemoryRecords records = MemoryRecords.withEndTransactionMarker(offset, NOW, 4, 77L, (short) 2, new EndTransactionMarker(type, 31));
    return bytesOf(records.buffer());
  }

  static void controlAndEmpty() throws IOException {
    for (boolean commit : new boolean[] {false, true}) {
      byte[] java = marker(12, commit);
      sameDump(kopDump(java), javaDump(java, -1), "control batch");
    }
    for (long[] range : new long[][] {{0, 0}, {5, 900}, {1L << 40, (1L << 40) + Integer.MAX_VALUE}}) {
      ByteBuffer b = ByteBuffer.allocate(61);
      DefaultRecordBatch.writeEmptyHeader(b, (byte) 2, -1, (short) -1, -1, range[0], range[1], 6, TimestampType.CREATE_TIME, -1, false, false);
      Request q = new Request(5);
      q.out.writeLong(range[0]);
      q.out.writeLong(range[1]);
      q.out.writeInt(6);
      Answer kop = q.send();
      sameBytes(kop.result, b.array(), "empty batch");
    }
  }

  public static void main(String[] args) throws Exception {
    Process peer = new ProcessBuilder(args[0]).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    toPeer = new DataOutputStream(new java.io.BufferedOutputStream(peer.getOutputStream(), 1 << 16));
    fromPeer = new DataInputStream(new java.io.BufferedInputStream(peer.getInputStream(), 1 << 16));
    long seed = Long.parseLong(args[1]);
    iterateAndBuild(seed);
    controlAndEmpty();
    downConvert(seed + 1);
    validateGood(seed + 2);
    validateBroken(seed + 3, Integer.parseInt(args[2]));
    ForeignOracle.run(seed + 4, Integer.parseInt(args[2]));
    toPeer.close();
    if (peer.waitFor() != 0) same(false, "record_peer ended with status " + peer.exitValue());
    byRule.forEach((name, n) -> System.out.println("  " + n + " cases by the rule: " + name));
    System.out.println("record: " + identical + " of " + cases + " cases identical");
    System.exit(identical == cases ? 0 : 1);
  }
}
