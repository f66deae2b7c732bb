import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Plays every scenario at every version and compares the answers with the recorded ones of Kafka, or records them. An
 * answer that differs needs two things: a reason for every difference, and to be the one recorded in golden/kopd.
 *
 *   LikeKafka HOME --server RELEASE=LIB=HOST:PORT ... [--restart COMMAND] [--record | --record-own | --show | --exact]
 *             [--api NAME] [--scenario NAME] [--version N]
 *
 * --record-own: answers that differ, with a reason, are recorded in golden/kopd. --exact: the server is Kafka, so no
 * difference has a reason. The first release given that codes a version plays it. Scenarios that want the servers restarted are played first, all up to
 * that point, then the command restarts the servers, then they go on; without a command they are left out.
 */
public final class LikeKafka {
  private record Server(Codec codec, InetSocketAddress address) {}

  /** A play that has been run up to the restart. */
  private record Paused(Scenario scenario, int version, Play play, Map<String, String> answers) {}

  /** A difference that has a reason: API, scenario, step and path by pattern, from ../expected.txt. */
  private static final class Expected {
    final Pattern[] parts = new Pattern[4];
    int[] versions;
    String line;
    int used;
  }

  private final Path home;
  private final List<Server> servers = new ArrayList<>();
  private final List<Expected> expected = new ArrayList<>();
  private final Map<String, Map<String, TreeSet<Integer>>> found = new LinkedHashMap<>();
  private final Map<String, StringBuilder> output = new LinkedHashMap<>();
  private final Map<String, Map<String, Map<Integer, String>>> golden = new HashMap<>();
  /** kopd's answers where they differ from Kafka's; what a run has come to is taken out. */
  private final Map<String, Map<String, Map<Integer, String>>> own = new HashMap<>();
  private final Map<String, Integer> helperVersions = new HashMap<>();
  private final long base = (System.currentTimeMillis() - 3_600_000) / 1000 * 1000;
  /** Versions are played at the same time: most of it is waiting. */
  private final ExecutorService players = Executors.newFixedThreadPool(6);
  private boolean record;
  private boolean recordOwn;
  private boolean show;
  private boolean exact;
  private String restart;
  private String onlyApi;
  private String onlyScenario;
  private int onlyVersion = -1;
  private int steps;
  private int identical;
  private int reasoned;

  private LikeKafka(Path home) {
    this.home = home;
  }

  public static void main(String[] args) throws Exception {
    LikeKafka run = new LikeKafka(Path.of(args[0]));
    for (int i = 1; i < args.length; i++) {
      switch (args[i]) {
        case "--restart" -> run.restart = args[++i];
        case "--record" -> run.record = true;
        case "--record-own" -> run.recordOwn = true;
        case "--show" -> run.show = true;
        case "--exact" -> run.exact = true;
        case "--api" -> run.onlyApi = args[++i];
        case "--scenario" -> run.onlyScenario = args[++i];
        case "--version" -> run.onlyVersion = Integer.parseInt(args[++i]);
        case "--server" -> {
          String[] parts = args[++i].split("=");
          int colon = parts[2].lastIndexOf(':');
          run.servers.add(new Server(new Codec(parts[0], Path.of(parts[1])), new InetSocketAddress(
              parts[2].substring(0, colon), Integer.parseInt(parts[2].substring(colon + 1)))));
        }
        default -> throw new IllegalArgumentException(args[i]);
      }
    }
    System.exit(run.all() ? 0 : 1);
  }

  private boolean all() throws Exception {
    Rules rules = new Rules(home.resolve("rules.txt"));
    if (!exact) {
      readExpected();
    }
    for (String api : List.of("Produce", "Fetch", "ListOffsets", "Metadata", "ApiVersions", "CreateTopics",
        "DeleteTopics", "DeleteRecords", "InitProducerId", "OffsetForLeaderEpoch", "DescribeConfigs", "AlterConfigs",
        "IncrementalAlterConfigs", "CreatePartitions", "ElectLeaders", "DescribeLogDirs", "DescribeCluster",
        "DescribeProducers", "DescribeTopicPartitions")) {
      helperVersions.put(api, servers.stream().mapToInt(s -> s.codec.highest(api)).min().orElseThrow());
    }
    for (Server s : servers) {
      warmUp(s);
    }
    List<Path> files;
    try (Stream<Path> s = Files.list(home.resolve("scenarios"))) {
      /* The last asks for coordinators, and Kafka makes topics for them that Metadata wants to see made. */
      files = s.sorted(Comparator.comparing((Path f) -> f.endsWith("FindCoordinator.txt")).thenComparing(f -> f))
          .collect(Collectors.toList());
    }
    List<List<Scenario>> all = new ArrayList<>();
    for (Path file : files) {
      List<Scenario> scenarios = Scenario.read(file);
      String api = scenarios.get(0).api;
      if (onlyApi == null || api.equalsIgnoreCase(onlyApi)) {
        scenarios.removeIf(s -> onlyScenario != null && !s.name.equals(onlyScenario) || s.restarts() && restart == null);
        all.add(scenarios);
        golden.put(api, record || show ? Map.of() : readGolden(recorded("golden", api)));
        own.put(api, record || show || exact || recordOwn ? Map.of() : readGolden(recorded("golden/kopd", api)));
      }
    }
    restarted(all, rules);
    for (List<Scenario> scenarios : all) {
      one(scenarios, rules);
    }
    players.shutdown();
    for (Map.Entry<String, StringBuilder> o : output.entrySet()) {
      if (show) {
        System.out.print(o.getValue());
      } else if (record) {
        Files.writeString(recorded("golden", o.getKey()), o.getValue());
      } else if (recordOwn && o.getValue().length() > 0) {
        Files.createDirectories(home.resolve("golden/kopd"));
        Files.writeString(recorded("golden/kopd", o.getKey()), o.getValue());
      } else if (recordOwn) {
        Files.deleteIfExists(recorded("golden/kopd", o.getKey()));
      }
    }
    if (show || record) {
      return true;
    }
    int stale = onlyScenario == null && onlyVersion < 0 && restart != null ? stale() : 0;
    System.out.println("differences with a reason in expected.txt, as recorded: " + reasoned);
    System.out.println("like-kafka: " + identical + " of " + steps + " steps identical");
    return identical + reasoned == steps && steps > 0 && stale == 0;
  }

  /** Once whole APIs have been played: reasons and recorded answers of kopd that no difference has asked for. */
  private int stale() {
    List<String> lines = new ArrayList<>();
    expected.stream().filter(e -> e.used == 0 && (onlyApi == null || e.parts[0].matcher(onlyApi).matches()))
        .forEach(e -> lines.add("expected.txt: nothing differs so any more: " + e.line));
    own.forEach((api, steps) -> steps.forEach((step, versions) -> {
      if (!versions.isEmpty()) {
        lines.add("golden/kopd/" + api + ".jsonl: nothing differs so any more: " + step.replace("|", ", step ") + ": "
            + ranges(new TreeSet<>(versions.keySet())));
      }
    }));
    lines.forEach(System.out::println);
    return lines.size();
  }

  private Path recorded(String folder, String api) {
    return home.resolve(folder).resolve(api + ".jsonl");
  }

  /** A broker that has just started refuses to give producer ids until it has a block of them. */
  private void warmUp(Server server) throws Exception {
    untilAnswered(server, Scenario.producerId(), 4, 200);
  }

  /** Kafka finds no coordinator until it has made the topics that coordinators keep their state in. */
  private void findCoordinators() throws Exception {
    for (int type : new int[] {0, 1}) {
      untilAnswered(serverFor("FindCoordinator", 6), Scenario.coordinator(type), 6, 1500);
    }
  }

  private void untilAnswered(Server server, Scenario s, int version, int attempts) throws Exception {
    for (int i = 0; i < attempts; i++) {
      try (Play play = new Play(server.codec, server.address, new Rules(home.resolve("rules.txt")), s, version, helperVersions, base, false)) {
        if (play.run().values().stream().anyMatch(answer -> answer.contains("\"errorCode\":0,"))) {
          return;
        }
      }
      Thread.sleep(20);
    }
  }

  private void one(List<Scenario> scenarios, Rules rules) throws Exception {
    if (scenarios.isEmpty()) {
      return;
    }
    String api = scenarios.get(0).api;
    if (api.equals("FindCoordinator") && (record || exact)) {
      findCoordinators();
    }
    long start = System.nanoTime();
    int before = steps;
    for (Scenario s : scenarios) {
      if (s.restarts()) {
        continue;
      }
      Map<String, TreeMap<Integer, String>> seen = new LinkedHashMap<>();
      for (Future<Paused> f : play(s, rules)) {
        f.get().play.close();
        take(f.get(), seen);
      }
      write(output.computeIfAbsent(api, k -> new StringBuilder()), s, seen);
    }
    if (!record && !show && onlyScenario == null) {
      advertised(api);
    }
    report(api, before, start);
  }

  private List<Future<Paused>> play(Scenario s, Rules rules) {
    List<Future<Paused>> plays = new ArrayList<>();
    for (int v : versions(s)) {
      Server server = serverFor(s.api, v);
      Play play = new Play(server.codec, server.address, rules, s, v, helperVersions, base, show);
      plays.add(players.submit(() -> new Paused(s, v, play, play.run())));
    }
    return plays;
  }

  /** Differences, each once with the versions that show it. */
  private void report(String what, int before, long start) {
    found.forEach((step, differences) -> {
      System.out.println(step + ":");
      differences.forEach((d, versions) -> System.out.println("    " + ranges(versions) + " " + d));
    });
    found.clear();
    if (!show) {
      System.out.println(what + ": " + (steps - before) + " steps in " + (System.nanoTime() - start) / 1_000_000 + " ms");
    }
  }

  /** Adds to seen what may have to be written: all answers, or with --record-own those that differ with a reason. */
  private void take(Paused p, Map<String, TreeMap<Integer, String>> seen) throws IOException {
    for (Map.Entry<String, String> a : p.answers.entrySet()) {
      steps++;
      boolean keep = record || show || compare(p.scenario, a.getKey(), p.version, a.getValue());
      if (keep) {
        seen.computeIfAbsent(a.getKey(), k -> new TreeMap<>()).put(p.version, a.getValue());
      }
    }
  }

  /** First, because a server with few topics is quickly restarted. */
  private void restarted(List<List<Scenario>> all, Rules rules) throws Exception {
    long start = System.nanoTime();
    int before = steps;
    List<Paused> paused = new ArrayList<>();
    for (List<Scenario> scenarios : all) {
      for (Scenario s : scenarios) {
        for (Future<Paused> f : s.restarts() ? play(s, rules) : List.<Future<Paused>>of()) {
          paused.add(f.get());
        }
      }
    }
    if (paused.isEmpty()) {
      return;
    }
    int status = new ProcessBuilder("bash", "-c", restart).inheritIO().start().waitFor();
    if (status != 0) {
      throw new IllegalStateException("the restart failed with status " + status);
    }
    for (Server s : servers) {
      warmUp(s);
    }
    List<Future<?>> rest = new ArrayList<>();
    for (Paused p : paused) {
      rest.add(players.submit(() -> p.answers.putAll(p.play.run())));
    }
    for (Future<?> f : rest) {
      f.get();
    }
    Map<Scenario, Map<String, TreeMap<Integer, String>>> seen = new LinkedHashMap<>();
    for (Paused p : paused) {
      p.play.close();
      take(p, seen.computeIfAbsent(p.scenario, k -> new LinkedHashMap<>()));
    }
    seen.forEach((s, a) -> write(output.computeIfAbsent(s.api, k -> new StringBuilder()), s, a));
    report("with a restart", before, start);
  }

  /** What is played must be advertised: one step for each version. */
  private void advertised(String api) throws Exception {
    for (int v = 0; v < 32; v++) {
      int version = v;
      if (servers.stream().noneMatch(x -> x.codec.codes(api, version)) || onlyVersion >= 0 && onlyVersion != v) {
        continue;
      }
      Server s = serverFor(api, v);
      int[] range = Play.advertised(s.codec, s.address, s.codec.key(api));
      steps++;
      if (range != null && range[0] <= v && v <= range[1]) {
        identical++;
      } else {
        System.out.println(api + " v" + v + " is not advertised");
      }
    }
  }

  private List<Integer> versions(Scenario s) {
    List<Integer> out = new ArrayList<>();
    for (int v = 0; v < 32; v++) {
      int version = v;
      if (v >= s.low && v <= s.high && servers.stream().anyMatch(x -> x.codec.codes(s.api, version))
          && (onlyVersion < 0 || onlyVersion == v)) {
        out.add(v);
      }
    }
    return out;
  }

  private Server serverFor(String api, int version) {
    return servers.stream().filter(s -> s.codec.codes(api, version)).findFirst().orElseThrow();
  }

  /** Versions with the same answer share a line. */
  private static void write(StringBuilder out, Scenario s, Map<String, TreeMap<Integer, String>> seen) {
    for (Map.Entry<String, TreeMap<Integer, String>> step : seen.entrySet()) {
      Integer from = null;
      Integer to = null;
      String answer = null;
      for (Map.Entry<Integer, String> e : step.getValue().entrySet()) {
        if (answer != null && (!answer.equals(e.getValue()) || e.getKey() != to + 1)) {
          line(out, s.name, step.getKey(), from, to, answer);
          answer = null;
        }
        from = answer == null ? e.getKey() : from;
        to = e.getKey();
        answer = e.getValue();
      }
      line(out, s.name, step.getKey(), from, to, answer);
    }
  }

  private static void line(StringBuilder out, String scenario, String step, int from, int to, String answer) {
    ObjectNode o = Codec.JSON.createObjectNode().put("scenario", scenario).put("step", step)
        .put("versions", from == to ? "" + from : from + "-" + to);
    try {
      o.set("answer", Codec.JSON.readTree(answer));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    out.append(o).append('\n');
  }

  private static Map<String, Map<Integer, String>> readGolden(Path file) throws IOException {
    Map<String, Map<Integer, String>> known = new TreeMap<>();
    if (!Files.exists(file)) {
      return known; /* a step without a recorded answer fails by its name */
    }
    for (String line : Files.readAllLines(file)) {
      JsonNode o = Codec.JSON.readTree(line);
      int[] range = Scenario.range(o.get("versions").asText());
      for (int v = range[0]; v <= range[1]; v++) {
        known.computeIfAbsent(o.get("scenario").asText() + "|" + o.get("step").asText(), k -> new HashMap<>())
            .put(v, o.get("answer").toString());
      }
    }
    return known;
  }

  private void readExpected() throws IOException {
    for (String line : Files.readAllLines(home.resolve("expected.txt"))) {
      int hash = line.indexOf('#');
      String[] words = (hash < 0 ? line : line.substring(0, hash)).strip().split("\\s+");
      if (words.length < 2) {
        continue;
      }
      if (words.length != 5 || hash < 0) {
        throw new IllegalArgumentException("not: API scenario step versions path # reason: " + line);
      }
      Expected e = new Expected();
      e.line = line;
      e.versions = words[3].equals("*") ? new int[] {0, 99} : Scenario.range(words[3]);
      int[] columns = {0, 1, 2, 4};
      for (int i = 0; i < 4; i++) {
        e.parts[i] = Pattern.compile(Stream.of(words[columns[i]].split("\\*", -1)).map(Pattern::quote)
            .collect(Collectors.joining(".*")));
      }
      expected.add(e);
    }
  }

  /** Counts one step and says whether it differs from Kafka with a reason. */
  private boolean compare(Scenario s, String step, int version, String answer) throws IOException {
    String kafka = golden.get(s.api).getOrDefault(s.name + "|" + step, Map.of()).get(version);
    String kopd = own.get(s.api).getOrDefault(s.name + "|" + step, new HashMap<>()).remove(version);
    boolean stage = !Character.isDigit(step.charAt(0)); /* a topic that could not be made: Kafka makes all of them */
    List<String> differences = stage ? List.of(".: Kafka does it, here " + answer) : differences(s, version, "Kafka", kafka, answer);
    if (differences.isEmpty()) {
      if (kopd == null) {
        identical++;
      } else {
        report(s, step, version, List.of(".: as Kafka, but golden/kopd has an answer of its own"));
      }
      return false;
    }
    List<String> unreasoned = new ArrayList<>();
    for (String d : differences) {
      String path = d.substring(0, d.indexOf(": "));
      Expected reason = expected.stream().filter(e -> (stage || kafka != null) && fits(e, s, step, version, path)).findFirst().orElse(null);
      if (reason == null) {
        unreasoned.add(d);
      } else {
        reason.used++;
      }
    }
    if (!unreasoned.isEmpty()) {
      report(s, step, version, unreasoned);
      return false;
    }
    List<String> changed = recordOwn ? List.of() : differences(s, version, "golden/kopd", kopd, answer);
    if (changed.isEmpty()) {
      reasoned++;
    } else {
      report(s, step, version, changed);
    }
    return true;
  }

  /** What differs from a recorded answer, each with its path before a colon. */
  private static List<String> differences(Scenario s, int version, String who, String recorded, String answer)
      throws IOException {
    List<String> out = new ArrayList<>();
    if (recorded == null) {
      out.add("_unrecorded: " + who + " has no answer recorded, here " + brief(Codec.JSON.readTree(answer)));
    } else if (!recorded.equals(answer)) {
      differ("", who, Codec.JSON.readTree(recorded), Codec.JSON.readTree(answer), s.api.equals("Fetch") && version < 4, out);
    }
    return out;
  }

  private void report(Scenario s, String step, int version, List<String> differences) {
    for (String d : differences.subList(0, Math.min(12, differences.size()))) {
      found.computeIfAbsent(s.api + " " + s.name + ", step " + step, k -> new LinkedHashMap<>())
          .computeIfAbsent(d, k -> new TreeSet<>()).add(version);
    }
  }

  private static boolean fits(Expected e, Scenario s, String step, int version, String path) {
    return e.versions[0] <= version && version <= e.versions[1] && e.parts[0].matcher(s.api).matches()
        && e.parts[1].matcher(s.name).matches() && e.parts[2].matcher(step.split(" ")[0]).matches()
        && e.parts[3].matcher(path).matches();
  }

  /**
   * Below version 4 of Fetch, how many converted messages fit is a matter of how the sizes of the two formats compare, and
   * not a promise: there the records of one answer may be the beginning of those of the other.
   */
  private static void differ(String path, String who, JsonNode recorded, JsonNode other, boolean converted,
      List<String> out) {
    if (recorded.equals(other) || converted && path.endsWith(".records") && begins(recorded, other)) {
      return;
    }
    if (recorded.isObject() && other.isObject()) {
      List<String> all = new ArrayList<>();
      recorded.fieldNames().forEachRemaining(all::add);
      other.fieldNames().forEachRemaining(n -> {
        if (!recorded.has(n)) {
          all.add(n);
        }
      });
      for (String n : all) {
        differ(path.isEmpty() ? n : path + "." + n, who, recorded.path(n), other.path(n), converted, out);
      }
    } else if (recorded.isArray() && other.isArray() && recorded.size() == other.size()) {
      for (int i = 0; i < recorded.size(); i++) {
        differ(path + "[" + i + "]", who, recorded.get(i), other.get(i), converted, out);
      }
    } else {
      out.add((path.isEmpty() ? "." : path) + ": " + who + " " + brief(recorded) + ", here " + brief(other));
    }
  }

  private static String ranges(TreeSet<Integer> versions) {
    StringBuilder out = new StringBuilder("v");
    for (int v : versions) {
      boolean starts = !versions.contains(v - 1);
      boolean ends = !versions.contains(v + 1);
      out.append(starts ? (out.length() > 1 ? "," : "") + v : ends ? "-" + v : "");
    }
    return out.toString();
  }

  private static boolean begins(JsonNode recorded, JsonNode other) {
    int common = Math.min(recorded.size(), other.size());
    for (int i = 0; i < common; i++) {
      if (!recorded.get(i).equals(other.get(i))) {
        return false;
      }
    }
    return common > 0;
  }

  private static String brief(JsonNode n) {
    String text = n.isMissingNode() ? "nothing" : n.toString();
    return text.length() > 300 ? text.substring(0, 300) + "..." : text;
  }
}
