// Batches out of Pulsar entries that anybody may have written: what libkop gives out, Kafka's classes read; what it makes a hole,
// they fail on, or another client does. See README.md beside this file.

import @RECORD_PACKAGE@.*;
import @RECORD_PACKAGE@.Record;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import @UTILS_PACKAGE@.BufferSupplier;

final class ForeignOracle {
  static final int CONTROL = 0x20;

  /** What libkop makes of an entry: null for a hole. */
  static byte[] entry(String property, String value, int messages, byte[] payload) throws IOException {
    RecordOracle.Request q = new RecordOracle.Request(6);
    RecordOracle.writeBytes(q.out, property.getBytes(StandardCharsets.UTF_8));
    RecordOracle.writeBytes(q.out, value.getBytes(StandardCharsets.UTF_8));
    q.out.writeInt(messages);
    q.out.write(payload);
    RecordOracle.Answer a = q.send();
    if (a.status != 0) throw new IllegalStateException("libkop's status is " + a.status);
    if (ByteBuffer.wrap(a.result).getInt() != 0) return null;
    return Arrays.copyOfRange(a.result, 4, a.result.length);
  }

  // What Java's consumer does with a batch when it reads committed data: null, or what it fails with.
  static String consume(byte[] batches) {
    try {
      for (RecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(batches)).batches()) {
        batch.ensureValid();
        if (batch.hasProducerId() && batch.isControlBatch()) {
          Iterator<Record> first = batch.iterator();
          if (first.hasNext()) ControlRecordType.parse(first.next().key());
        }
        try (var records = batch.streamingIterator(BufferSupplier.NO_CACHING)) {
          while (records.hasNext()) {
            Record r = records.next();
            r.ensureValid();
            r.headers();
          }
        }
      }
      return null;
    } catch (Throwable t) {
      return t.toString();
    }
  }

  // Offsets that leave their batch or do not rise, and bytes behind no record, which librdkafka reads as records.
  static boolean misleads(byte[] batches) {
    for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(batches)).batches()) {
      long next = batch.baseOffset();
      if (batch.lastOffset() < next || batch.countOrNull() > batch.lastOffset() - next + 1) return true;
      if (batch.countOrNull() == 0 && (batch.sizeInBytes() > 61 || batch.compressionType() != CompressionType.NONE)) return true;
      boolean dense = batch.countOrNull() == batch.lastOffset() - next + 1;
      for (Record r : batch) {
        if (r.offset() < next || r.offset() > batch.lastOffset() || dense && r.offset() != next) return true;
        next = r.offset() + 1;
      }
    }
    return false;
  }

  static void judge(byte[] given, byte[] batch, String what) throws IOException {
    String java = consume(batch);
    if (given != null) {
      String failure = consume(given);
      RecordOracle.same(failure == null && !misleads(given), what + ": given out, and Java says " + failure);
      if (java != null) RecordOracle.same(false, what + ": libkop reads what Java does not: " + java);
      return;
    }
    if (java != null) {
      RecordOracle.rule("a hole: Java's consumer fails");
    } else if (!RecordOracle.readable(batch)) {
      RecordOracle.rule("a hole: Java's consumer passes over it, brokers and other clients fail");
    } else if (misleads(batch)) {
      RecordOracle.rule("a hole: its offsets lead consumers astray, or librdkafka reads what Java does not");
    } else if (RecordOracle.streamSpoiled) {
      RecordOracle.rule("a hole: the codec libraries differ about a spoiled stream");
    } else if (RecordOracle.numberOverflows(batch)) {
      RecordOracle.rule("a hole: a number has bits that its type cannot hold");
    } else {
      if (System.getenv("RECORD_HEX") != null) System.out.println(HexFormat.of().formatHex(batch));
      RecordOracle.same(false, what + ": a hole, though Java reads it");
    }
  }

  // ---- control records -------------------------------------------------------------------------

  static void field(ByteArrayOutputStream out, int tag, byte[] bytes) {
    out.write(tag);
    out.write(bytes.length);
    out.writeBytes(bytes);
  }

  static void property(ByteArrayOutputStream out, String name, byte[] value) {
    ByteArrayOutputStream inner = new ByteArrayOutputStream();
    field(inner, 10, name.getBytes(StandardCharsets.UTF_8));
    field(inner, 18, Base64.getEncoder().encode(value));
    field(out, 10, inner.toByteArray());
  }

  // A message that says it is a control record: size, SingleMessageMetadata, no value.
  static byte[] message(byte[] key, byte[] value) {
    ByteArrayOutputStream metadata = new ByteArrayOutputStream();
    if (key != null) property(metadata, "kop.ctl.key", key);
    if (value != null) property(metadata, "kop.ctl.value", value);
    metadata.writeBytes(new byte[] {24, 0, 72, 1, 40}); // payload size, null value, event time
    for (long left = RecordOracle.NOW; left != 0; left >>= 7) metadata.write((int) (left > 127 ? left & 127 | 128 : left));
    return ByteBuffer.allocate(4 + metadata.size()).putInt(metadata.size()).put(metadata.toByteArray()).array();
  }

  static byte[] batchOf(byte[] key, byte[] value, long producer, int flags) throws IOException {
    RecordOracle.Request r = new RecordOracle.Request(3);
    for (int n : new int[] {2, 0, 0}) r.out.writeInt(n); // magic, codec, timestamp type
    r.out.writeLong(-1);
    r.out.writeLong(0);
    r.out.writeInt(-1);
    r.out.writeLong(producer);
    r.out.writeInt(producer < 0 ? -1 : 1);
    r.out.writeInt(-1);
    r.out.writeInt(flags);
    r.out.writeInt(1);
    r.out.writeLong(0);
    r.out.writeLong(RecordOracle.NOW);
    RecordOracle.writeBytes(r.out, key);
    RecordOracle.writeBytes(r.out, value);
    r.out.writeInt(0);
    RecordOracle.Answer a = r.send();
    if (a.status != 0) throw new IllegalStateException("libkop's status is " + a.status);
    return a.result;
  }

  static void controlRecords() throws IOException {
    HexFormat hex = HexFormat.of();
    String[] keys = {null, "", "00", "0000", "000000", "00000000", "00000001", "00000002", "0000004d", "0000ffff", "0000000100",
        "00010001", "000100010203", "ffff0001", "8000"};
    String[] values = {null, "", "0000", "0000000000", "000000000007", "00000000000700", "ffff00000007", "000100000007ff"};
    for (String k : keys) {
      for (String v : values) {
        byte[] key = k == null ? null : hex.parseHex(k);
        byte[] value = v == null ? null : hex.parseHex(v);
        for (long producer : new long[] {7, -1}) {
          for (int flags : new int[] {CONTROL, CONTROL | 0x10}) {
            byte[] batch = batchOf(key, value, producer, flags);
            String what = "control record " + k + " " + v + " of " + producer + ", flags " + flags;
            String facts = "1 attr=" + flags + (producer < 0 ? "" : " pid=7 epoch=1");
            byte[] pulsar = entry("kop.batch", facts, 1, message(key, value));
            byte[] kafka = entry("entry.format", "kafka", 1, batch);
            RecordOracle.same((pulsar == null) == (kafka == null), what + ": the formats differ");
            boolean five = k != null && k.startsWith("0000") && k.length() > 8;
            if (five && kafka == null) RecordOracle.rule("a hole: librdkafka wants exactly four bytes of control key");
            else judge(kafka, batch, what);
            if (pulsar != null) RecordOracle.sameBytes(RecordOracle.javaDump(pulsar, -1), RecordOracle.javaDump(batch, -1), what);
          }
        }
      }
    }
  }

  // ---- whole batches ---------------------------------------------------------------------------

  static void spoiledBatches(Random random, int rounds) throws IOException {
    for (int i = 0; i < rounds; i++) {
      List<RecordOracle.Rec> records = RecordOracle.randomRecords(random, 1 + random.nextInt(6), 30, true, random.nextInt(3) == 0);
      RecordOracle.streamSpoiled = false;
      byte[] batch = RecordOracle.spoiledBatch(random, records);
      if (ByteBuffer.wrap(batch).getInt(8) != batch.length - 12 || batch[16] != 2) continue;
      // As many offsets as it says it takes, or needs when it is written anew.
      ByteBuffer head = ByteBuffer.wrap(batch);
      long places = Math.max(1L, Math.max(head.getInt(23) + 1L, head.getInt(57)));
      byte[] given = entry("entry.format", "kafka", (int) Math.min(places, Integer.MAX_VALUE), batch);
      String java = consume(batch);
      if (given != null && java == null && misleads(batch)) {
        RecordOracle.rule("written anew: its offsets led consumers astray");
        RecordOracle.same(!misleads(given) && Arrays.equals(RecordOracle.javaContent(given), RecordOracle.javaContent(batch)),
            "foreign, case " + i + ": what was written anew has other content");
      } else if (given != null && java != null && RecordOracle.streamSpoiled) {
        RecordOracle.rule("given out: the codec libraries differ about a spoiled stream");
      } else {
        judge(given, batch, "foreign, case " + i);
      }
    }
  }

  static void run(long seed, int rounds) throws IOException {
    controlRecords();
    spoiledBatches(new Random(seed), rounds);
  }

  private ForeignOracle() {}
}
