import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** One scenario played at one version against one server. */
final class Play implements Codec.Filler, AutoCloseable {
  private static final int PATIENCE_MS = 20_000;
  private static final int READY_MS = 5_000;

  /** A connection and the requests on it that wait for their answers. */
  private static final class Link {
    final Socket socket = new Socket();
    final DataInputStream in;
    final OutputStream out;
    int correlation;
    Scenario.Step pending;
    int pendingVersion;
    long sentNanos;

    Link(InetSocketAddress server) throws IOException {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(PATIENCE_MS);
      socket.connect(server, PATIENCE_MS);
      in = new DataInputStream(socket.getInputStream());
      out = socket.getOutputStream();
    }

    void send(byte[] frame) throws IOException {
      out.write(Codec.concat(ByteBuffer.allocate(4).putInt(frame.length).array(), frame));
      out.flush();
    }

    ByteBuffer receive() throws IOException {
      byte[] frame = new byte[in.readInt()];
      in.readFully(frame);
      return ByteBuffer.wrap(frame);
    }
  }

  private final Codec codec;
  private final InetSocketAddress server;
  private final Rules rules;
  private final Scenario scenario;
  private final int version;
  private final Map<String, Integer> helperVersions;
  private final Names names;
  private final Batches batches;
  private final boolean show;
  private final Map<String, Link> links = new HashMap<>();
  private int next;
  private JsonNode last = JsonNodeFactory.instance.objectNode();

  Play(Codec codec, InetSocketAddress server, Rules rules, Scenario scenario, int version,
      Map<String, Integer> helperVersions, long base, boolean show) {
    this.codec = codec;
    this.server = server;
    this.rules = rules;
    this.scenario = scenario;
    this.version = version;
    this.helperVersions = helperVersions;
    this.show = show;
    names = new Names("lk-" + scenario.api + "-" + scenario.name + "-v" + version + "-", base);
    batches = new Batches(base);
  }

  /**
   * The answers by the labels of their steps, in order. A play stops where it wants the server restarted, and goes on from
   * there when it is run again.
   */
  Map<String, String> run() {
    Map<String, String> answers = new LinkedHashMap<>();
    while (next < scenario.steps.size()) {
      Scenario.Step s = scenario.steps.get(next++);
      if (version < s.low || version > s.high) {
        continue;
      }
      if (s.verb.equals("restart")) {
        List.copyOf(links.keySet()).forEach(this::drop);
        return answers;
      }
      JsonNode answer;
      try {
        answer = perform(s);
      } catch (SocketTimeoutException e) {
        answer = text("no answer within " + s.patience + " ms");
        drop(s.connection);
      } catch (EOFException | SocketException e) {
        answer = text("closed");
        drop(s.connection);
      } catch (Exception e) {
        answer = text("harness: " + e);
        if (show) {
          e.printStackTrace();
        }
        drop(s.connection);
      }
      if (s.answers()) {
        answers.put(s.label, answer.toString());
      } else if (answer.isTextual()) {
        answers.put(s.verb + " " + s.name, answer.toString());
      }
    }
    return answers;
  }

  private JsonNode perform(Scenario.Step s) throws Exception {
    switch (s.verb) {
      case "topic": return createTopic(s);
      case "await": return await(s.name, s.number);
      case "gone": return gone(s.name);
      case "sleep": Thread.sleep(s.number); return last;
      case "close": drop(s.connection); return last;
      case "save":
        JsonNode found = last.at(s.argument);
        if (found.isMissingNode()) {
          throw new IllegalStateException("nothing at " + s.argument + " in " + last);
        }
        names.variables.put(s.name, found);
        return last;
      case "send": send(s); return last;
      case "recv": return answer(s, links.get(s.connection));
      case "raw":
        Link raw = link(s.connection);
        raw.send(HexFormat.of().parseHex(s.argument.replace(" ", "")));
        byte[] answer = raw.receive().array();
        return text(HexFormat.of().formatHex(answer, 0, Math.min(answer.length, 16)) + (answer.length > 16 ? "..." : ""));
      default: return answer(s, send(s));
    }
  }

  private Link send(Scenario.Step s) throws Exception {
    Link link = link(s.connection);
    link.pending = s;
    link.pendingVersion = versionOf(s);
    byte[] frame;
    if (s.body.has("_body")) {
      frame = Codec.concat(codec.header(s.api, link.pendingVersion, ++link.correlation, s.clientId),
          HexFormat.of().parseHex(s.body.get("_body").asText().replace(" ", "")));
    } else {
      frame = codec.request(s.api, link.pendingVersion, ++link.correlation, s.clientId, s.body, this);
    }
    link.sentNanos = System.nanoTime();
    link.send(Arrays.copyOf(frame, frame.length + s.trim));
    if (s.silent) {
      link.send(codec.request("ApiVersions", 0, ++link.correlation, "like-kafka", object(), this));
    }
    return link;
  }

  private JsonNode answer(Scenario.Step recv, Link link) throws Exception {
    Scenario.Step s = link.pending;
    link.socket.setSoTimeout(s.patience);
    ByteBuffer in = link.receive();
    long tookMs = (System.nanoTime() - link.sentNanos) / 1_000_000;
    int correlation = in.getInt();
    if (s.silent && correlation == link.correlation) {
      return text("no answer");
    }
    ObjectNode raw = codec.response(s.api, s.body.has("_answer") ? s.body.get("_answer").asInt() : link.pendingVersion, in,
        records -> Batches.dump(records, names::time, names::producer, names::epoch));
    last = raw;
    names.learn(raw);
    if (s.mine) {
      keepMine(raw);
    }
    ObjectNode out = (ObjectNode) rules.apply(s.api, raw, names, show);
    if (correlation != link.correlation) {
      out.put("_correlation", "wrong");
    }
    int timed = Math.max(s.timed, recv.timed);
    if (timed >= 0) {
      out.put("_took", (tookMs < timed ? "less than " : "at least ") + timed + " ms");
    }
    return out;
  }

  /** A server may hold topics of other scenarios. */
  private void keepMine(JsonNode node) {
    if (node.isArray()) {
      for (Iterator<JsonNode> i = node.iterator(); i.hasNext();) {
        JsonNode e = i.next();
        JsonNode name = e.has("name") ? e.get("name") : e.path("topic");
        if (name.isTextual() && !name.asText().startsWith(names.prefix)) {
          i.remove();
        }
      }
    }
    node.forEach(this::keepMine);
  }

  private int versionOf(Scenario.Step s) {
    return s.version >= 0 ? s.version : s.api.equals(scenario.api) ? version : helperVersions.get(s.api);
  }

  private JsonNode createTopic(Scenario.Step s) throws Exception {
    ObjectNode topic = object().put("name", "~" + s.name).put("numPartitions", s.number).put("replicationFactor", 1);
    ArrayNode configs = topic.putArray("configs");
    s.body.properties().forEach(
        e -> configs.addObject().put("name", e.getKey()).put("value", e.getValue().asText()));
    ObjectNode body = object().put("timeoutMs", 10_000);
    body.putArray("topics").add(topic);
    JsonNode made = helper("CreateTopics", body).path("topics").path(0);
    if (made.path("errorCode").asInt() != 0) {
      throw new IllegalStateException("cannot create " + s.name + ": " + rules.apply("CreateTopics", made, names, show));
    }
    return await(s.name, s.number);
  }

  /** Until every partition of a topic has a leader that answers. */
  private JsonNode await(String name, int partitions) throws Exception {
    long deadline = System.nanoTime() + READY_MS * 1_000_000L;
    ObjectNode metadata = object().put("allowAutoTopicCreation", false);
    metadata.putArray("topics").addObject().put("name", "~" + name);
    ObjectNode offsets = object();
    ArrayNode list = offsets.putArray("topics").addObject().put("name", "~" + name).putArray("partitions");
    for (int i = 0; i < partitions; i++) {
      list.addObject().put("partitionIndex", i).put("timestamp", -1);
    }
    while (System.nanoTime() < deadline) {
      JsonNode topic = helper("Metadata", metadata).path("topics").path(0);
      if (topic.path("errorCode").asInt() == 0 && topic.path("partitions").size() == partitions) {
        JsonNode seen = helper("ListOffsets", offsets).path("topics").path(0).path("partitions");
        int ready = 0;
        for (JsonNode p : seen) {
          ready += p.path("errorCode").asInt() == 0 ? 1 : 0;
        }
        long epoch = topic.path("partitions").path(0).path("leaderEpoch").asLong();
        if (ready == partitions && epoch >= 0) {
          names.ids.put(names.real("~" + name), topic.path("topicId").asText());
          names.leads(epoch);
          names.node = topic.path("partitions").path(0).path("leaderId").asInt();
          return object();
        }
      }
      Thread.sleep(5);
    }
    throw new IllegalStateException("topic " + name + " is not ready");
  }

  private JsonNode gone(String name) throws Exception {
    long deadline = System.nanoTime() + READY_MS * 1_000_000L;
    ObjectNode metadata = object().put("allowAutoTopicCreation", false);
    metadata.putArray("topics").addObject().put("name", "~" + name);
    while (System.nanoTime() < deadline) {
      if (helper("Metadata", metadata).path("topics").path(0).path("errorCode").asInt() == 3) {
        return object();
      }
      Thread.sleep(5);
    }
    throw new IllegalStateException("topic " + name + " is still there");
  }

  /** A call that belongs to the stage, not to the play: on a connection of its own, its answer is not recorded. */
  private JsonNode helper(String api, JsonNode body) throws Exception {
    Link link = link(" stage");
    int v = helperVersions.get(api);
    link.send(codec.request(api, v, ++link.correlation, "like-kafka", body, this));
    ByteBuffer in = link.receive();
    in.getInt();
    return codec.response(api, v, in, records -> object());
  }

  /** The lowest and highest version of an API in the server's table, or null. */
  static int[] advertised(Codec codec, InetSocketAddress server, int key) throws IOException {
    Link link = new Link(server);
    try {
      link.send(codec.header("ApiVersions", 0, 1, "like-kafka"));
      ByteBuffer in = link.receive();
      in.getInt();
      for (JsonNode e : codec.response("ApiVersions", 0, in, r -> object()).path("apiKeys")) {
        if (e.path("apiKey").asInt() == key) {
          return new int[] {e.path("minVersion").asInt(), e.path("maxVersion").asInt()};
        }
      }
      return null;
    } finally {
      link.socket.close();
    }
  }

  private Link link(String name) throws IOException {
    Link link = links.get(name);
    if (link == null) {
      link = new Link(server);
      links.put(name, link);
    }
    return link;
  }

  private void drop(String name) {
    Link link = links.remove(name);
    if (link != null) {
      try {
        link.socket.close();
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  @Override
  public void close() {
    try {
      ObjectNode body = object().put("timeoutMs", 10_000);
      names.ids.keySet().stream().filter(n -> n.startsWith(names.prefix))
          .forEach(n -> body.withArray("topics").addObject().put("name", n));
      if (body.has("topics")) {
        helper("DeleteTopics", body);
      }
    } catch (Exception e) {
      System.err.println("cannot delete the topics of " + scenario.name + ": " + e);
    }
    for (String name : List.copyOf(links.keySet())) {
      drop(name);
    }
  }

  /** ~t a topic's name, $x what was saved as x, T+5 a time, E+1 an epoch; records by description. */
  @Override
  public JsonNode value(String type, JsonNode given) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    if (type.equals("records")) {
      return make.binaryNode(batches.build(resolve(given)));
    }
    JsonNode v = resolve(given);
    if (type.equals("uuid") && v.asText().startsWith("#")) {
      return topicId(make.textNode("~" + v.asText().substring(1)));
    }
    if (type.equals("bytes")) {
      return make.binaryNode(HexFormat.of().parseHex(v.asText()));
    }
    if (v.isTextual() && type.startsWith("int")) {
      String text = v.asText();
      long n = text.equals("NODE") ? names.node
          : text.startsWith("C") ? names.currentEpoch + Long.parseLong(text.substring(1))
          : text.startsWith("E") ? names.firstEpoch + Long.parseLong(text.substring(1))
          : names.base + Long.parseLong(text.substring(1));
      return type.equals("int64") ? make.numberNode(n) : make.numberNode((int) n);
    }
    return type.equals("int64") && v.isInt() ? make.numberNode(v.asLong()) : v;
  }

  private JsonNode resolve(JsonNode given) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    if (given.isTextual()) {
      String text = given.asText();
      if (text.startsWith("$")) {
        int plus = text.indexOf('+');
        JsonNode v = names.variables.get(text.substring(1, plus < 0 ? text.length() : plus));
        if (v == null) {
          throw new IllegalArgumentException("nothing saved as " + text);
        }
        return plus < 0 ? v : make.numberNode((int) (v.asLong() + Long.parseLong(text.substring(plus + 1))));
      }
      if (text.equals("NODE-TEXT")) {
        return make.textNode(Integer.toString(names.node));
      }
      if (text.startsWith("long:")) {
        return make.textNode("a".repeat(Integer.parseInt(text.substring(5))));
      }
      return make.textNode(names.real(text));
    }
    if (given.isArray()) {
      ArrayNode out = make.arrayNode();
      given.forEach(e -> out.add(resolve(e)));
      return out;
    }
    if (given.isObject()) {
      ObjectNode out = make.objectNode();
      given.properties().forEach(e -> out.set(e.getKey(), resolve(e.getValue())));
      return out;
    }
    return given;
  }

  @Override
  public JsonNode topicId(JsonNode name) {
    String real = names.real(name == null || name.isNull() ? "" : name.asText());
    String id = names.ids.get(real);
    if (id == null) {
      UUID made = UUID.nameUUIDFromBytes(real.getBytes(java.nio.charset.StandardCharsets.UTF_8));
      byte[] bytes = ByteBuffer.allocate(16).putLong(made.getMostSignificantBits())
          .putLong(made.getLeastSignificantBits()).array();
      id = java.util.Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
      if (!real.isEmpty()) {
        names.ids.put(real, id);
      }
    }
    return JsonNodeFactory.instance.textNode(id);
  }

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  private static JsonNode text(String text) {
    return JsonNodeFactory.instance.textNode(text);
  }
}
