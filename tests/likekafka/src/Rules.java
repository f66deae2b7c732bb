import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What is not compared as it stands: ids, times, sizes, texts, and the order of arrays that have none. Read from
 * ../rules.txt, one rule a line: API, path of the field (its last parts are enough), what to do, and after # why.
 */
final class Rules {
  private record Rule(String api, String path, String action, String argument) {
    boolean fits(String ofApi, String ofPath) {
      return (api.equals("*") || api.equals(ofApi)) && (ofPath.equals(path) || ofPath.endsWith("." + path));
    }
  }

  private final List<Rule> rules = new ArrayList<>();

  Rules(Path file) throws IOException {
    for (String line : Files.readAllLines(file)) {
      int hash = line.indexOf('#');
      String[] words = (hash < 0 ? line : line.substring(0, hash)).strip().split("\\s+");
      if (words.length >= 3) {
        if (hash < 0) {
          throw new IllegalArgumentException("a rule without a reason: " + line);
        }
        rules.add(new Rule(words[0], words[1], words[2], words.length > 3 ? words[3] : ""));
      }
    }
  }

  /** Changes an answer into what is compared. Texts stay when they are to be shown to a person. */
  JsonNode apply(String api, JsonNode node, Names names, boolean keepTexts) {
    return walk(api, "", node, names, keepTexts);
  }

  private JsonNode walk(String api, String path, JsonNode node, Names names, boolean keepTexts) {
    JsonNodeFactory make = JsonNodeFactory.instance;
    boolean sort = false;
    boolean byName = false;
    for (Rule r : rules) {
      if (!r.fits(api, path)) {
        continue;
      }
      switch (r.action) {
        case "mask": return node.isNull() ? node : make.textNode("*");
        case "text": return node.isNull() || node.asText().isEmpty() || keepTexts ? node : make.textNode("(text)");
        case "time": return names.time(node.asLong());
        case "epoch": return names.epoch(node.asLong());
        case "id": return make.textNode(names.topic(node.asText()));
        case "node":
          if (!node.isArray()) {
            return names.node(node);
          }
          break;
        case "byname": byName = true; break;
        case "symbol": return names.symbol(r.argument, node);
        case "sort": sort = true; break;
        default: throw new IllegalArgumentException("no action " + r.action);
      }
    }
    if (node.isObject()) {
      ObjectNode out = make.objectNode();
      for (Map.Entry<String, JsonNode> e : node.properties()) {
        String inner = path.isEmpty() ? e.getKey() : path + "." + e.getKey();
        if (!dropped(api, inner)) {
          out.set(e.getKey(), walk(api, inner, e.getValue(), names, keepTexts));
        }
      }
      return out;
    }
    if (node.isArray() && byName) {
      Map<String, JsonNode> all = new TreeMap<>();
      for (JsonNode e : node) {
        String name = e.get("name").asText();
        if (!dropped(api, path + "." + name)) {
          all.put(name, walk(api, path + "." + name, e, names, keepTexts));
        }
      }
      all.values().forEach(e -> ((ObjectNode) e).remove("name"));
      return make.objectNode().setAll(all);
    }
    if (node.isArray()) {
      ArrayNode out = make.arrayNode();
      List<JsonNode> all = new ArrayList<>();
      node.forEach(e -> all.add(walk(api, path, e, names, keepTexts)));
      if (sort) {
        all.sort(Comparator.comparing(JsonNode::toString));
      }
      return out.addAll(all);
    }
    return node.isTextual() ? make.textNode(names.strip(node.asText())) : node;
  }

  private boolean dropped(String api, String path) {
    return rules.stream().anyMatch(r -> r.action.equals("drop") && r.fits(api, path));
  }
}
