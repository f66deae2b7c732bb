import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A scenario is a list of steps that starts with topics of its own and is played once for every version of the API that
 * its file is about. The notation is explained in ../README.md.
 */
final class Scenario {
  /** One statement. Only the members that its verb uses are set. */
  static final class Step {
    String label;
    String verb = "call";
    String api;
    int version = -1;
    String connection = "main";
    JsonNode body = JsonNodeFactory.instance.objectNode();
    String name;
    String argument;
    String clientId = "like-kafka";
    int number;
    int trim;
    int low = 0;
    int high = Integer.MAX_VALUE;
    boolean mine;
    boolean silent;
    int timed = -1;
    int patience = 20_000;

    boolean answers() {
      return verb.equals("call") || verb.equals("recv") || verb.equals("raw");
    }
  }

  final String api;
  final String name;
  int low = 0;
  int high = Integer.MAX_VALUE;
  final List<Step> steps = new ArrayList<>();

  private Scenario(String api, String name) {
    this.api = api;
    this.name = name;
  }

  static List<Scenario> read(Path file) throws IOException {
    List<Scenario> all = new ArrayList<>();
    String api = null;
    Map<String, String> macros = new HashMap<>();
    for (String statement : statements(Files.readAllLines(file))) {
      String[] words = statement.split("\\s+");
      try {
        if (words[0].equals("api")) {
          api = words[1];
        } else if (words[0].equals("let")) {
          macros.put(words[1], statement.substring(statement.indexOf('=') + 1).strip());
        } else if (words[0].equals("scenario")) {
          Scenario s = new Scenario(api, words[1]);
          if (words.length > 2) {
            int[] range = range(words[2]);
            s.low = range[0];
            s.high = range[1];
          }
          all.add(s);
        } else {
          Scenario s = all.get(all.size() - 1);
          Step step = parse(statement, macros);
          if (step.answers()) {
            s.number++;
            step.label = s.number + (step.label == null ? "" : " " + step.label);
          }
          s.steps.add(step);
        }
      } catch (RuntimeException e) {
        throw new IllegalArgumentException(file.getFileName() + ": " + statement + ": " + e.getMessage(), e);
      }
    }
    return all;
  }

  private int number;

  boolean restarts() {
    return steps.stream().anyMatch(s -> s.verb.equals("restart"));
  }

  /** One request for a producer id. */
  static Scenario producerId() {
    return single("InitProducerId { transactionalId: null, transactionTimeoutMs: 60000 }");
  }

  /** One request for the coordinator of a group (0) or a transaction (1). */
  static Scenario coordinator(int type) {
    return single("FindCoordinator { keyType: " + type + ", coordinatorKeys: ['warm-up'] }");
  }

  private static Scenario single(String statement) {
    Step step = parse(statement, Map.of());
    step.label = "1";
    Scenario s = new Scenario(step.api, "warm-up");
    s.steps.add(step);
    return s;
  }

  /** Lines without comments, joined while brackets are open. */
  private static List<String> statements(List<String> lines) {
    List<String> out = new ArrayList<>();
    StringBuilder open = new StringBuilder();
    for (String line : lines) {
      String text = line.strip();
      if (text.isEmpty() || text.startsWith("#")) {
        continue;
      }
      open.append(open.length() == 0 ? "" : " ").append(text);
      if (depth(open) == 0) {
        out.add(open.toString());
        open.setLength(0);
      }
    }
    if (open.length() > 0) {
      throw new IllegalArgumentException("brackets stay open: " + open);
    }
    return out;
  }

  private static int depth(CharSequence text) {
    int depth = 0;
    char quote = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (quote != 0) {
        quote = c == quote ? 0 : quote;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '{' || c == '[') {
        depth++;
      } else if (c == '}' || c == ']') {
        depth--;
      }
    }
    return depth;
  }

  /** [low, high] of "4", "4-7", "4-" or "-7". */
  static int[] range(String text) {
    int dash = text.indexOf('-');
    if (dash < 0) {
      return new int[] {Integer.parseInt(text), Integer.parseInt(text)};
    }
    String from = text.substring(0, dash);
    String to = text.substring(dash + 1);
    return new int[] {from.isEmpty() ? 0 : Integer.parseInt(from),
        to.isEmpty() ? Integer.MAX_VALUE : Integer.parseInt(to)};
  }

  private static Step parse(String statement, Map<String, String> macros) {
    Step s = new Step();
    String rest = statement;
    if (rest.startsWith("\"")) {
      int end = rest.indexOf('"', 1);
      s.label = rest.substring(1, end);
      rest = rest.substring(end + 1).strip();
    }
    while (!rest.isEmpty()) {
      int space = rest.indexOf(' ');
      String word = space < 0 ? rest : rest.substring(0, space);
      rest = space < 0 ? "" : rest.substring(space + 1).strip();
      String next = rest.split("\\s+")[0];
      boolean takesNext = true;
      switch (word) {
        case "when" -> {
          int[] range = range(next);
          s.low = range[0];
          s.high = range[1];
        }
        case "on" -> s.connection = next;
        case "as" -> s.clientId = next.equals("null") ? null : next;
        case "timed" -> s.timed = Integer.parseInt(next);
        case "patience" -> s.patience = Integer.parseInt(next);
        case "trim" -> s.trim = Integer.parseInt(next);
        case "mine", "silent" -> {
          s.mine |= word.equals("mine");
          s.silent |= word.equals("silent");
          takesNext = false;
        }
        case "topic" -> {
          s.verb = word;
          int colon = next.indexOf(':');
          s.name = colon < 0 ? next : next.substring(0, colon);
          s.number = colon < 0 ? 1 : Integer.parseInt(next.substring(colon + 1));
          s.body = json(rest.substring(next.length()));
          return s;
        }
        case "await", "gone" -> {
          s.verb = word;
          int colon = next.indexOf(':');
          s.name = colon < 0 ? next : next.substring(0, colon);
          s.number = colon < 0 ? 1 : Integer.parseInt(next.substring(colon + 1));
          return s;
        }
        case "save" -> {
          s.verb = word;
          s.name = next;
          s.argument = rest.substring(next.length()).strip();
          return s;
        }
        case "send" -> {
          s.verb = word;
          s.connection = next;
        }
        case "recv", "close" -> {
          s.verb = word;
          s.connection = next;
          return s;
        }
        case "restart" -> {
          s.verb = word;
          return s;
        }
        case "sleep" -> {
          s.verb = word;
          s.number = Integer.parseInt(next);
          return s;
        }
        case "raw" -> {
          s.verb = word;
          s.argument = rest;
          return s;
        }
        default -> {
          if (word.endsWith("!")) {
            rest = macros.get(word.substring(0, word.length() - 1)).replace("%", rest);
            takesNext = false;
            break;
          }
          int at = word.indexOf('@');
          s.api = at < 0 ? word : word.substring(0, at);
          s.version = at < 0 ? -1 : Integer.parseInt(word.substring(at + 1));
          s.body = json(rest);
          return s;
        }
      }
      if (takesNext) {
        rest = rest.substring(next.length()).strip();
      }
    }
    throw new IllegalArgumentException("nothing to do");
  }

  private static JsonNode json(String text) {
    try {
      return text.isBlank() ? JsonNodeFactory.instance.objectNode() : Codec.JSON.readTree(text);
    } catch (IOException e) {
      throw new IllegalArgumentException(e.getMessage());
    }
  }
}
