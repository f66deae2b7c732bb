import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.github.luben.zstd.ZstdInputStream;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.function.LongFunction;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import java.util.zip.Checksum;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import net.jpountz.lz4.LZ4FrameInputStream;
import net.jpountz.lz4.LZ4FrameOutputStream;
import net.jpountz.xxhash.XXHash32;
import net.jpountz.xxhash.XXHashFactory;
import org.xerial.snappy.SnappyInputStream;
import org.xerial.snappy.SnappyOutputStream;

/**
 * Record batches from descriptions and back, written from the format, not with Kafka's classes: those refuse to build
 * what a hostile or old client sends.
 *
 * v2:   baseOffset 8 | length 4 | leaderEpoch 4 | magic 1 | crc32c 4 | attributes 2 | lastOffsetDelta 4 | baseTimestamp 8
 *       | maxTimestamp 8 | producerId 8 | producerEpoch 2 | baseSequence 4 | count 4 | records
 * v0/1: offset 8 | size 4 | crc32 4 | magic 1 | attributes 1 | (v1: timestamp 8) | key 4+n | value 4+n
 */
final class Batches {
  private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};

  /** Times in scripts count from here. */
  private final long base;

  Batches(long base) {
    this.base = base;
  }

  /** A description, a list of them to stand one after the other, or a string of hexadecimal digits. */
  byte[] build(JsonNode d) {
    if (d.isTextual()) {
      return HexFormat.of().parseHex(d.asText().replace(" ", ""));
    }
    if (d.isArray()) {
      byte[] out = new byte[0];
      for (JsonNode one : d) {
        out = Codec.concat(out, build(one));
      }
      return out;
    }
    try {
      byte[] whole = d.path("magic").asInt(2) == 2 ? batch(d) : messageSet(d);
      int cut = d.path("cut").asInt(0);
      return Arrays.copyOf(whole, whole.length - cut + d.path("pad").asInt(0));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private byte[] batch(JsonNode d) throws IOException {
    ArrayNode records = records(d);
    long first = base + records.path(0).path("ts").asLong(0);
    long max = first;
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (int i = 0; i < records.size(); i++) {
      JsonNode r = records.get(i);
      max = Math.max(max, base + r.path("ts").asLong(0));
      record(body, r, i, first);
    }
    int codec = Arrays.asList(CODECS).indexOf(d.path("codec").asText("none"));
    byte[] payload = compress(codec, body.toByteArray());
    int size = 61 + payload.length;
    ByteBuffer b = ByteBuffer.allocate(size);
    b.putLong(d.path("baseOffset").asLong(0));
    b.putInt(size - 12 + d.path("lengthPlus").asInt(0));
    b.putInt(d.path("leaderEpoch").asInt(-1));
    b.put((byte) d.path("magicByte").asInt(2));
    b.putInt(0);
    b.putShort((short) (codec | d.path("attributes").asInt(0)));
    b.putInt(d.path("lastOffsetDelta").asInt(records.size() - 1));
    b.putLong(d.has("noTimestamp") ? -1 : first);
    b.putLong(d.has("maxTs") ? base + d.get("maxTs").asLong() : d.has("noTimestamp") ? -1 : max);
    b.putLong(d.path("pid").asLong(-1));
    b.putShort((short) d.path("epoch").asInt(-1));
    b.putInt(d.path("seq").asInt(-1));
    b.putInt(d.path("count").asInt(records.size()));
    b.put(payload);
    CRC32C crc = new CRC32C();
    crc.update(b.array(), 21, size - 21);
    b.putInt(17, (int) crc.getValue() + (d.path("crc").asText().equals("bad") ? 1 : 0));
    return b.array();
  }

  private static void record(ByteArrayOutputStream out, JsonNode r, int index, long first) throws IOException {
    ByteArrayOutputStream b = new ByteArrayOutputStream();
    b.write(r.path("attributes").asInt(0));
    varint(b, r.path("ts").asLong(0) - (r.path("ts0").asLong(0)));
    varint(b, r.path("delta").asInt(index));
    field(b, r.get("k"));
    field(b, r.get("v"));
    JsonNode headers = r.path("h");
    varint(b, r.has("headerCount") ? r.get("headerCount").asInt() : headers.size());
    for (JsonNode h : headers) {
      field(b, h.get(0));
      field(b, h.get(1));
    }
    b.write(new byte[r.path("extra").asInt(0)]);
    varint(out, b.size() + r.path("lengthPlus").asInt(0));
    b.writeTo(out);
  }

  private static void field(ByteArrayOutputStream out, JsonNode text) throws IOException {
    if (text == null || text.isNull()) {
      varint(out, -1);
      return;
    }
    byte[] bytes = bytes(text);
    varint(out, bytes.length);
    out.write(bytes);
  }

  /** Text stands for its UTF-8, a number for so many letters x. */
  private static byte[] bytes(JsonNode text) {
    if (text.isNumber()) {
      byte[] bytes = new byte[text.asInt()];
      Arrays.fill(bytes, (byte) 'x');
      return bytes;
    }
    return text.asText().getBytes(StandardCharsets.UTF_8);
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    long v = (value << 1) ^ (value >> 63);
    while ((v & ~0x7fL) != 0) {
      out.write((int) (v & 0x7f | 0x80));
      v >>>= 7;
    }
    out.write((int) v);
  }

  /** n: that many records k0=v0, k1=v1 ...; records: as written. */
  private static ArrayNode records(JsonNode d) {
    ArrayNode out = JsonNodeFactory.instance.arrayNode();
    long firstTs = d.path("records").path(0).path("ts").asLong(d.path("ts").asLong(0));
    int n = d.has("records") ? d.get("records").size() : d.path("n").asInt(1);
    for (int i = 0; i < n; i++) {
      ObjectNode r = out.addObject();
      if (d.has("records")) {
        r.setAll((ObjectNode) d.get("records").get(i));
      } else {
        r.put("k", "k" + i).put("v", d.path("value").asText("v") + i);
      }
      if (!r.has("ts")) {
        r.put("ts", d.path("ts").asLong(0));
      }
      r.put("ts0", firstTs);
    }
    return out;
  }

  private byte[] messageSet(JsonNode d) throws IOException {
    int magic = d.get("magic").asInt();
    ArrayNode records = records(d);
    int codec = Arrays.asList(CODECS).indexOf(d.path("codec").asText("none"));
    byte[] set = new byte[0];
    long max = 0;
    for (int i = 0; i < records.size(); i++) {
      JsonNode r = records.get(i);
      max = Math.max(max, r.path("ts").asLong(0));
      byte[] key = r.path("k").isTextual() ? bytes(r.get("k")) : null;
      byte[] value = r.has("v") && !r.get("v").isNull() ? bytes(r.get("v")) : null;
      long offset = r.path("off").asLong(d.path("zeroOffsets").asBoolean() ? 0 : i);
      boolean bad = codec == 0 && d.path("crc").asText().equals("bad");
      int attributes = d.path("attributes").asInt(0) | d.path("innerAttributes").asInt(0);
      set = Codec.concat(set, message(magic, offset, attributes, r.path("ts").asLong(0), key, value, bad));
    }
    if (codec == 0) {
      return set;
    }
    long offset = d.path("wrapperOffset").asLong(records.size() - 1);
    boolean bad = d.path("crc").asText().equals("bad");
    return message(magic, offset, codec | d.path("attributes").asInt(0), max, null, compress(codec, set), bad);
  }

  private byte[] message(int magic, long offset, int attributes, long ts, byte[] key, byte[] value, boolean badCrc) {
    int size = 4 + 1 + 1 + (magic == 1 ? 8 : 0) + 8 + (key == null ? 0 : key.length) + (value == null ? 0 : value.length);
    ByteBuffer b = ByteBuffer.allocate(12 + size);
    b.putLong(offset).putInt(size).putInt(0).put((byte) magic).put((byte) attributes);
    if (magic == 1) {
      b.putLong(base + ts);
    }
    for (byte[] part : new byte[][] {key, value}) {
      b.putInt(part == null ? -1 : part.length);
      if (part != null) {
        b.put(part);
      }
    }
    CRC32 crc = new CRC32();
    crc.update(b.array(), 16, size - 4);
    b.putInt(12, (int) crc.getValue() + (badCrc ? 1 : 0));
    return b.array();
  }

  private static byte[] compress(int codec, byte[] plain) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (OutputStream z = codec == 1 ? new GZIPOutputStream(out)
        : codec == 2 ? new SnappyOutputStream(out)
        : codec == 3 ? new LZ4FrameOutputStream(out, LZ4FrameOutputStream.BLOCKSIZE.SIZE_64KB)
        : codec == 4 ? new ZstdOutputStream(out) : out) {
      z.write(plain);
    }
    return out.toByteArray();
  }

  private static byte[] decompress(int codec, byte[] packed) throws IOException {
    ByteArrayInputStream in = new ByteArrayInputStream(packed);
    try (InputStream z = codec == 1 ? new GZIPInputStream(in)
        : codec == 2 ? new SnappyInputStream(in)
        : codec == 3 ? new LZ4FrameInputStream(in)
        : codec == 4 ? new ZstdInputStream(in) : in) {
      return z.readAllBytes();
    }
  }

  /**
   * Everything a consumer could see of the records of a fetch. A batch that is cut off at the end is what Kafka sends
   * when a size limit falls into it and what clients leave unread, so it is left out here too. The checksum is checked
   * and never printed.
   */
  static ArrayNode dump(ByteBuffer in, LongFunction<JsonNode> time, LongFunction<JsonNode> pid,
      LongFunction<JsonNode> epoch) {
    ArrayNode out = JsonNodeFactory.instance.arrayNode();
    while (in.hasRemaining()) {
      int at = in.position();
      if (in.remaining() < 17 || in.remaining() < 12 + in.getInt(at + 8)) {
        return out;
      }
      int size = 12 + in.getInt(at + 8);
      ByteBuffer one = in.slice(at, size);
      in.position(at + size);
      try {
        if (one.get(16) == 2) {
          out.add(dumpBatch(one, time, pid, epoch));
        } else {
          dumpMessage(out, one, time);
        }
      } catch (IOException e) {
        out.addObject().put("unreadable", e.toString());
      }
    }
    return out;
  }

  private static ObjectNode dumpBatch(ByteBuffer b, LongFunction<JsonNode> time, LongFunction<JsonNode> pid,
      LongFunction<JsonNode> epoch) throws IOException {
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    int attributes = b.getShort(21);
    long first = b.getLong(27);
    out.put("baseOffset", b.getLong(0)).set("leaderEpoch", epoch.apply(b.getInt(12)));
    if (!checksumHolds(new CRC32C(), b, 21, b.getInt(17))) {
      out.put("crc", "bad");
    }
    out.put("attributes", attributes).put("lastOffsetDelta", b.getInt(23));
    out.set("baseTimestamp", time.apply(first));
    out.set("maxTimestamp", time.apply(b.getLong(35)));
    out.set("producerId", pid.apply(b.getLong(43)));
    out.put("producerEpoch", b.getShort(51)).put("baseSequence", b.getInt(53)).put("count", b.getInt(57));
    byte[] rest = new byte[b.limit() - 61];
    b.get(61, rest);
    ByteBuffer records = ByteBuffer.wrap(decompress(attributes & 7, rest));
    ArrayNode list = out.putArray("records");
    for (int i = b.getInt(57); i > 0; i--) {
      int end = (int) varint(records);
      end += records.position();
      ObjectNode r = list.addObject();
      r.put("attributes", records.get());
      r.set("ts", time.apply(first == -1 ? -1 : first + varint(records)));
      if (first == -1) {
        varint(records);
      }
      r.put("delta", varint(records));
      r.set("k", text(records));
      r.set("v", text(records));
      long headers = varint(records);
      if (headers > 0) {
        ArrayNode h = r.putArray("h");
        for (long n = headers; n > 0; n--) {
          h.addArray().add(text(records)).add(text(records));
        }
      }
      records.position(end);
    }
    if (records.hasRemaining()) {
      out.put("_trailing", records.remaining());
    }
    return out;
  }

  private static void dumpMessage(ArrayNode list, ByteBuffer b, LongFunction<JsonNode> time) throws IOException {
    ObjectNode out = list.addObject();
    int magic = b.get(16);
    int codec = b.get(17) & 7;
    out.put("offset", b.getLong(0)).put("magic", magic).put("attributes", b.get(17));
    if (!checksumHolds(new CRC32(), b, 16, b.getInt(12))) {
      out.put("crc", "bad");
    }
    b.position(18);
    if (magic == 1) {
      out.set("ts", time.apply(b.getLong()));
    }
    byte[] key = sized(b);
    byte[] value = sized(b);
    if (codec == 0) {
      out.set("k", text(key));
      out.set("v", text(value));
      return;
    }
    ArrayNode inner = out.putArray("inner");
    if (magic == 0 && codec == 3) {
      mendFrame(value);
    }
    ByteBuffer set = ByteBuffer.wrap(decompress(codec, value));
    while (set.hasRemaining()) {
      ByteBuffer one = set.slice(set.position(), 12 + set.getInt(set.position() + 8));
      set.position(set.position() + one.limit());
      dumpMessage(inner, one, time);
    }
  }

  /**
   * In messages of version 0 the header checksum of an LZ4 frame covers the frame's magic number too, against the LZ4
   * specification. It must be so, and is set right for the library that reads the frame.
   */
  private static void mendFrame(byte[] frame) throws IOException {
    XXHash32 hash = XXHashFactory.fastestInstance().hash32();
    int end = (frame[4] & 8) == 0 ? 6 : 14;
    if (frame[end] != (byte) (hash.hash(frame, 0, end, 0) >> 8)) {
      throw new IOException("the LZ4 header checksum does not cover the magic number");
    }
    frame[end] = (byte) (hash.hash(frame, 4, end - 4, 0) >> 8);
  }

  private static boolean checksumHolds(Checksum sum, ByteBuffer b, int from, int expected) {
    sum.update(b.slice(from, b.limit() - from));
    return (int) sum.getValue() == expected;
  }

  private static byte[] sized(ByteBuffer b) {
    int n = b.getInt();
    byte[] bytes = n < 0 ? null : new byte[n];
    if (bytes != null) {
      b.get(bytes);
    }
    return bytes;
  }

  private static JsonNode text(ByteBuffer b) {
    int n = (int) varint(b);
    byte[] bytes = n < 0 ? null : new byte[n];
    if (bytes != null) {
      b.get(bytes);
    }
    return text(bytes);
  }

  /** Long values are told by their length: a golden file is for reading. */
  private static JsonNode text(byte[] bytes) {
    return bytes == null ? JsonNodeFactory.instance.nullNode()
        : bytes.length > 64 ? JsonNodeFactory.instance.textNode("(" + bytes.length + " bytes)")
        : JsonNodeFactory.instance.textNode(new String(bytes, StandardCharsets.UTF_8));
  }

  private static long varint(ByteBuffer b) {
    long v = 0;
    for (int shift = 0;; shift += 7) {
      byte c = b.get();
      v |= (long) (c & 0x7f) << shift;
      if (c >= 0) {
        return (v >>> 1) ^ -(v & 1);
      }
    }
  }
}
