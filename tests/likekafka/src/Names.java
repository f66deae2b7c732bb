import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one play of a scenario calls things, so that answers of two servers, and of two versions, can be compared:
 * ~t is its topic t, #t that topic's id, T+5 five milliseconds after the base time, NOW a moment of this run, E+0 the
 * leader epoch that its topics started with, C+0 the one after a restart, NODE the broker, S1 the first session id seen, P1 the first producer id.
 */
final class Names {
  static final String ZERO = "AAAAAAAAAAAAAAAAAAAAAA";
  private static final long NEAR = 20 * 60 * 1000;
  private static final long DAYS = 30L * 24 * 3600 * 1000;

  final String prefix;
  final long base;
  long firstEpoch = -1;
  long currentEpoch = -1;
  int node = 1;
  final Map<String, String> ids = new LinkedHashMap<>();
  final Map<String, JsonNode> variables = new HashMap<>();
  private final Map<String, String> symbols = new LinkedHashMap<>();
  private final Map<String, Integer> counts = new HashMap<>();

  Names(String prefix, long base) {
    this.prefix = prefix;
    this.base = base;
  }

  String real(String text) {
    return text.startsWith("~") ? prefix + text.substring(1) : text;
  }

  String strip(String text) {
    return text.length() > 200 ? "(" + text.length() + " characters)" : text.replace(prefix, "~");
  }

  /** An id is known by the topic that carried it last, else by the order of its first appearance. */
  String topic(String id) {
    if (id.equals(ZERO)) {
      return "0";
    }
    for (Map.Entry<String, String> e : ids.entrySet()) {
      if (e.getValue().equals(id)) {
        return "#" + strip(e.getKey()).replace("~", "");
      }
    }
    return symbol("#", JsonNodeFactory.instance.textNode(id)).asText();
  }

  /** Scripts write times a few hours around the base time, which lies an hour back; all but these stay numbers. */
  JsonNode time(long ms) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    if (Math.abs(ms - System.currentTimeMillis()) < NEAR) {
      return make.textNode("NOW");
    }
    return Math.abs(ms - base) > DAYS ? make.numberNode(ms)
        : make.textNode(ms < base ? "T" + (ms - base) : "T+" + (ms - base));
  }

  void leads(long epoch) {
    firstEpoch = firstEpoch < 0 ? epoch : firstEpoch;
    currentEpoch = epoch;
  }

  JsonNode epoch(long epoch) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    if (epoch < 0) {
      return make.numberNode(epoch);
    }
    boolean current = currentEpoch > firstEpoch && epoch >= currentEpoch;
    long distance = epoch - (current ? currentEpoch : firstEpoch);
    return make.textNode((current ? "C" : "E") + (distance < 0 ? "" : "+") + distance);
  }

  /** A node id, or the text that names a broker among config resources. */
  JsonNode node(JsonNode id) {
    return id.asText().equals(Integer.toString(node)) ? JsonNodeFactory.instance.textNode("NODE")
        : id.isTextual() ? JsonNodeFactory.instance.textNode(strip(id.asText())) : id;
  }

  JsonNode symbol(String kind, JsonNode value) {
    if (value.isNumber() && value.asLong() == -1 || kind.equals("S") && value.asLong() == 0) {
      return value;
    }
    return JsonNodeFactory.instance.textNode(symbols.computeIfAbsent(kind + value.asText(),
        k -> kind + counts.merge(kind, 1, Integer::sum)));
  }

  /** In record batches, where a script may have written a producer id of its own. */
  JsonNode producer(long id) {
    String known = symbols.get("P" + id);
    return known == null ? JsonNodeFactory.instance.numberNode(id) : JsonNodeFactory.instance.textNode(known);
  }

  /** Remembers the ids that come with names in any answer. */
  void learn(JsonNode answer) {
    if (answer.isObject()) {
      ObjectNode o = (ObjectNode) answer;
      JsonNode name = o.has("name") ? o.get("name") : o.path("topicName");
      if (o.has("topicId") && o.path("errorCode").asInt() == 0 && name.isTextual() && !o.get("topicId").asText().equals(ZERO)) {
        ids.put(name.asText(), o.get("topicId").asText());
      }
    }
    answer.forEach(this::learn);
  }
}
