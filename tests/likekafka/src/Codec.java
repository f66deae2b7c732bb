import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * One release of kafka-clients, used as a codec and for nothing else: JSON to request bytes, response bytes to JSON.
 *
 * The jar is loaded by a class loader of its own, so that two releases work side by side (each codes versions that the
 * other does not), and is reached by reflection, because classes move between packages from release to release. Jackson
 * is shared with the harness. Headers are written and read here: they are part of what is tested.
 *
 * A script writes only the fields that matter to it. The definitions inside the jar tell which fields a version has and
 * what the others are by default.
 */
final class Codec {
  static final JsonMapper JSON = JsonMapper.builder()
      .enable(JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES, JsonReadFeature.ALLOW_SINGLE_QUOTES,
          JsonReadFeature.ALLOW_JAVA_COMMENTS, JsonReadFeature.ALLOW_TRAILING_COMMA)
      .build();

  final String release;
  private final ClassLoader loader;
  private final Class<?> accessor;
  private final Map<String, Object> types = new HashMap<>();
  private final Map<String, JsonNode> definitions = new ConcurrentHashMap<>();

  Codec(String release, Path lib) throws Exception {
    this.release = release;
    URL jar = lib.resolve("kafka-clients-" + release + ".jar").toUri().toURL();
    loader = new URLClassLoader(new URL[] {jar}, Codec.class.getClassLoader());
    accessor = loader.loadClass("org.apache.kafka.common.protocol.ByteBufferAccessor");
    Class<?> type = loader.loadClass("org.apache.kafka.common.message.ApiMessageType");
    for (Object t : type.getEnumConstants()) {
      String name = (String) type.getField("name").get(t);
      types.put(name, t);
    }
  }

  int key(String api) {
    return ((Short) call(type(api), "apiKey")).intValue();
  }

  int lowest(String api) {
    return ((Short) call(type(api), "lowestSupportedVersion")).intValue();
  }

  /** The highest version that this release calls stable, or -1 when it has removed the API. */
  int highest(String api) {
    try {
      Object t = type(api);
      return ((Short) t.getClass().getMethod("highestSupportedVersion", boolean.class).invoke(t, false)).intValue();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  boolean codes(String api, int version) {
    return types.containsKey(api) && lowest(api) <= version && version <= highest(api);
  }

  /** A whole request without its length prefix. */
  byte[] request(String api, int version, int correlation, String clientId, JsonNode body, Filler filler) {
    try {
      JsonNode full = fill(definition(api + "Request"), null, (ObjectNode) body, version, filler);
      Class<?> converter = loader.loadClass("org.apache.kafka.common.message." + api + "RequestDataJsonConverter");
      Object message = converter.getMethod("read", JsonNode.class, short.class).invoke(null, full, (short) version);
      return concat(header(api, version, correlation, clientId), encode(message, version));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(api + " v" + version + ": " + rootOf(e), rootOf(e));
    }
  }

  byte[] header(String api, int version, int correlation, String clientId) {
    int headerVersion = headerVersion(api, "requestHeaderVersion", version);
    byte[] client = clientId == null ? new byte[0] : clientId.getBytes(StandardCharsets.UTF_8);
    ByteBuffer out = ByteBuffer.allocate(11 + client.length);
    out.putShort((short) key(api)).putShort((short) version).putInt(correlation);
    if (headerVersion > 0) {
      out.putShort((short) (clientId == null ? -1 : client.length)).put(client);
    }
    if (headerVersion > 1) {
      out.put((byte) 0);
    }
    byte[] bytes = new byte[out.position()];
    out.flip().get(bytes);
    return bytes;
  }

  /**
   * Decodes a response whose correlation id has been read already. What stands after the body is a fault of the server
   * and is reported as the field _trailing.
   */
  ObjectNode response(String api, int version, ByteBuffer in, Function<ByteBuffer, JsonNode> records) {
    try {
      if (headerVersion(api, "responseHeaderVersion", version) > 0 && in.get() != 0) {
        throw new IllegalStateException("tagged fields in the header of a response");
      }
      Object message = call(type(api), "newResponse");
      Object readable = accessor.getConstructor(ByteBuffer.class).newInstance(in);
      message.getClass().getMethod("read", loader.loadClass("org.apache.kafka.common.protocol.Readable"), short.class)
          .invoke(message, readable, (short) version);
      Class<?> converter = loader.loadClass("org.apache.kafka.common.message." + api + "ResponseDataJsonConverter");
      ObjectNode json = (ObjectNode) converter.getMethod("write", message.getClass(), short.class)
          .invoke(null, message, (short) version);
      if (api.equals("Fetch")) {
        addRecords(json, message, records);
      }
      if (in.hasRemaining()) {
        json.put("_trailing", in.remaining());
      }
      return json;
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(api + " v" + version + " answer: " + rootOf(e), rootOf(e));
    }
  }

  /** The converter writes only the size of the records, so they are taken from the message. */
  private static void addRecords(ObjectNode json, Object fetch, Function<ByteBuffer, JsonNode> dump) {
    int t = 0;
    for (Object topic : (Iterable<?>) call(fetch, "responses")) {
      int p = 0;
      for (Object partition : (Iterable<?>) call(topic, "partitions")) {
        ObjectNode node = (ObjectNode) json.path("responses").path(t).path("partitions").path(p++);
        Object records = call(partition, "records");
        node.remove("recordsSizeInBytes");
        node.set("records", records == null ? JsonNodeFactory.instance.nullNode()
            : dump.apply(((ByteBuffer) call(records, "buffer")).duplicate()));
      }
      t++;
    }
  }

  private byte[] encode(Object message, int version) throws ReflectiveOperationException {
    Class<?> cacheClass = loader.loadClass("org.apache.kafka.common.protocol.ObjectSerializationCache");
    Object cache = cacheClass.getConstructor().newInstance();
    Class<?> contract = loader.loadClass("org.apache.kafka.common.protocol.Message");
    int size = (Integer) contract.getMethod("size", cacheClass, short.class).invoke(message, cache, (short) version);
    ByteBuffer out = ByteBuffer.allocate(size);
    Object writable = accessor.getConstructor(ByteBuffer.class).newInstance(out);
    contract.getMethod("write", loader.loadClass("org.apache.kafka.common.protocol.Writable"), cacheClass, short.class)
        .invoke(message, writable, cache, (short) version);
    return out.array();
  }

  /** What a script can say that the definitions cannot: names, ids, times and record batches by description. */
  interface Filler {
    JsonNode value(String type, JsonNode given);

    /** The id that goes with a topic name, for versions that carry only ids. */
    JsonNode topicId(JsonNode name);
  }

  private JsonNode fill(JsonNode definition, JsonNode fields, ObjectNode given, int version, Filler filler) {
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    JsonNode list = fields == null ? definition.get("fields") : fields;
    boolean nameIsGone = false;
    for (JsonNode f : list) {
      if (has(f, "versions", version)) {
        JsonNode own = given.get(lower(f));
        out.set(lower(f), own == null ? byDefault(definition, f, version, filler)
            : convert(definition, f, f.get("type").asText(), own, version, filler));
      } else {
        nameIsGone |= f.path("entityType").asText().equals("topicName") && given.has(lower(f));
      }
    }
    for (JsonNode f : list) {
      if (nameIsGone && lower(f).equals("topicId") && !given.has("topicId")) {
        out.set("topicId", filler.topicId(given.has("name") ? given.get("name") : given.get("topic")));
      }
    }
    given.fieldNames().forEachRemaining(name -> {
      for (JsonNode f : list) {
        if (lower(f).equals(name)) {
          return;
        }
      }
      throw new IllegalArgumentException("no field " + name + " in " + definition.get("name").asText());
    });
    return out;
  }

  private JsonNode convert(JsonNode definition, JsonNode f, String type, JsonNode given, int version, Filler filler) {
    if (given.isNull()) {
      return given;
    }
    if (type.startsWith("[]")) {
      ArrayNode out = JsonNodeFactory.instance.arrayNode();
      for (JsonNode e : given) {
        out.add(convert(definition, f, type.substring(2), e, version, filler));
      }
      return out;
    }
    JsonNode nested = nested(definition, f, type);
    return nested == null ? filler.value(type, given) : fill(definition, nested, (ObjectNode) given, version, filler);
  }

  private static JsonNode nested(JsonNode definition, JsonNode f, String type) {
    if (f.has("fields")) {
      return f.get("fields");
    }
    for (JsonNode s : definition.path("commonStructs")) {
      if (s.get("name").asText().equals(type)) {
        return s.get("fields");
      }
    }
    return null;
  }

  private JsonNode byDefault(JsonNode definition, JsonNode f, int version, Filler filler) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    String type = f.get("type").asText();
    String text = f.path("default").asText("");
    if (text.equals("null")) {
      return make.nullNode();
    }
    if (type.startsWith("[]")) {
      return make.arrayNode();
    }
    switch (type) {
      case "string": return make.textNode(text);
      case "uuid": return make.textNode("AAAAAAAAAAAAAAAAAAAAAA");
      case "bool": return make.booleanNode(text.equals("true"));
      case "bytes": return make.binaryNode(new byte[0]);
      case "records": return make.nullNode();
      case "int64": return make.numberNode(text.isEmpty() ? 0L : Long.decode(text));
      default:
        JsonNode nested = nested(definition, f, type);
        return nested != null ? fill(definition, nested, make.objectNode(), version, filler)
            : make.numberNode(text.isEmpty() ? 0 : (int) (long) Long.decode(text));
    }
  }

  static String lower(JsonNode field) {
    String name = field.get("name").asText();
    return Character.toLowerCase(name.charAt(0)) + name.substring(1);
  }

  static boolean has(JsonNode field, String which, int version) {
    String range = field.path(which).asText("none");
    if (range.equals("none")) {
      return false;
    }
    String[] ends = range.split("[-+]");
    int low = Integer.parseInt(ends[0]);
    int high = range.endsWith("+") ? Integer.MAX_VALUE : Integer.parseInt(ends[ends.length - 1]);
    return low <= version && version <= high;
  }

  private JsonNode definition(String message) {
    return definitions.computeIfAbsent(message, name -> {
      try (InputStream in = loader.getResourceAsStream("common/message/" + name + ".json")) {
        return JSON.readTree(in);
      } catch (java.io.IOException e) {
        throw new IllegalStateException(name, e);
      }
    });
  }

  private int headerVersion(String api, String which, int version) {
    try {
      Object t = type(api);
      return (Short) t.getClass().getMethod(which, short.class).invoke(t, (short) version);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(rootOf(e));
    }
  }

  private Object type(String api) {
    Object t = types.get(api);
    if (t == null) {
      throw new IllegalArgumentException("no API " + api + " in kafka-clients " + release);
    }
    return t;
  }

  private static Object call(Object target, String method) {
    try {
      Method m = target.getClass().getMethod(method);
      m.setAccessible(true);
      return m.invoke(target);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(rootOf(e));
    }
  }

  private static Throwable rootOf(Throwable e) {
    return e.getCause() == null ? e : rootOf(e.getCause());
  }

  static byte[] concat(byte[]... parts) {
    int size = 0;
    for (byte[] p : parts) {
      size += p.length;
    }
    ByteBuffer out = ByteBuffer.allocate(size);
    for (byte[] p : parts) {
      out.put(p);
    }
    return out.array();
  }
}
